package httpsession

import (
	"io"
	"net/http"
	"reflect"
)

// differ reports whether a handler has put something into the copy of a request: a form,
// whose files are removed by who has the original, a pattern and its values, which logs
// show, a body with a limit. Maps are the same or others; what is in them is shared.
func differ(r, c *http.Request) bool {
	same := r.Pattern == c.Pattern && r.MultipartForm == c.MultipartForm && r.URL == c.URL &&
		r.Method == c.Method && r.Host == c.Host && r.RemoteAddr == c.RemoteAddr && r.RequestURI == c.RequestURI &&
		r.Proto == c.Proto && r.ContentLength == c.ContentLength && r.Close == c.Close && r.TLS == c.TLS && r.Response == c.Response
	if !same || !sameBody(r.Body, c.Body) {
		return true
	}
	x, y := reflect.ValueOf(r).Elem(), reflect.ValueOf(c).Elem()
	for _, i := range requestMaps {
		if x.Field(i).UnsafePointer() != y.Field(i).UnsafePointer() {
			return true
		}
	}
	return false
}

// sameBody is a comparison that cannot panic: bodies that are not pointers, such as
// http.NoBody, are the same if their types are.
func sameBody(a, b io.ReadCloser) bool {
	x, y := reflect.ValueOf(a), reflect.ValueOf(b)
	if x.Kind() == reflect.Pointer && y.Kind() == reflect.Pointer {
		return x.UnsafePointer() == y.UnsafePointer()
	}
	return reflect.TypeOf(a) == reflect.TypeOf(b)
}

// requestMaps are the fields of a request that are maps, one of them net/http's own for
// SetPathValue.
var requestMaps = func() (fields []int) {
	t := reflect.TypeFor[http.Request]()
	for i := range t.NumField() {
		if t.Field(i).Type.Kind() == reflect.Map {
			fields = append(fields, i)
		}
	}
	return fields
}()
