package httpsession

import (
	"io"
	"net/http"
	"reflect"
)

// differ reports whether a handler has put something into the copy of a request: a form,
// whose files are removed by who has the original, a pattern and its values, which logs
// show, a body with a limit. What is in maps that both had is shared.
func differ(r, c *http.Request) bool {
	return r.Pattern != c.Pattern || r.MultipartForm != c.MultipartForm || r.URL != c.URL || !sameBody(r.Body, c.Body) ||
		(r.Form == nil) != (c.Form == nil) || (r.PostForm == nil) != (c.PostForm == nil) || len(r.Header) != len(c.Header) ||
		r.Method != c.Method || r.Host != c.Host || r.RemoteAddr != c.RemoteAddr || r.RequestURI != c.RequestURI ||
		r.ContentLength != c.ContentLength || !samePathValues(r, c)
}

// samePathValues compares where SetPathValue keeps its values. If nobody knows, they differ.
func samePathValues(r, c *http.Request) bool {
	if pathValuesField < 0 {
		return false
	}
	return reflect.ValueOf(r).Elem().Field(pathValuesField).Pointer() == reflect.ValueOf(c).Elem().Field(pathValuesField).Pointer()
}

var pathValuesField = func() int {
	field, ok := reflect.TypeFor[http.Request]().FieldByName("otherValues")
	if !ok || field.Type.Kind() != reflect.Map {
		return -1
	}
	return field.Index[0]
}()

// sameBody is a comparison that cannot panic: bodies that are not pointers, such as
// http.NoBody, are the same if their types are.
func sameBody(a, b io.ReadCloser) bool {
	if a == http.NoBody && b == http.NoBody {
		return true
	}
	x, y := reflect.ValueOf(a), reflect.ValueOf(b)
	if x.Kind() == reflect.Pointer && y.Kind() == reflect.Pointer {
		return x.UnsafePointer() == y.UnsafePointer()
	}
	return reflect.TypeOf(a) == reflect.TypeOf(b)
}
