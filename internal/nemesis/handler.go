package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
)

// maxBody bounds what a request brings along.
const maxBody = 1 << 20

// newHandler returns the routes of a server. Keys and values are texts without tabs and
// line breaks.
//
//	GET    /k/{key}     200 and the value, or 404
//	PUT    /k/{key}     the body becomes the value; 200. With ?life=2s it expires after that
//	DELETE /k/{key}     200, or 404 if there was none
//	POST   /cas/{key}   the body is the old value, a line break and the new one; 200 or 409
//	POST   /new/{key}   the body becomes the value if there is none; 200 or 409
//	POST   /add/{key}   adds one to a number; 200 and what it is now
//	GET    /all         200 and all entries, one line each: key, tab, value
//	GET    /size        200 and the number of entries
//	POST   /local       the body is keys, one a line; 200 and those that this process serves
//	                    itself, or 404 if the provider does not know
//	GET    /status      200 and a status in JSON; with ?collect=1 after memory was freed
//	POST   /clock       the body says by how much this process's time of day is wrong; 200
//
// 503 says that certainly nothing was changed, and 504 that it is unknown.
func newHandler(cache *jcache.Cache[string, string], watch *clock) http.Handler {
	mux := http.NewServeMux()
	// route serves do, which is given the query's only value, and reports false for the
	// status no.
	routeWith := func(pattern, query string, no int, do func(ctx context.Context, key, body, query string) (text string, yes bool, err error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithTimeout(r.Context(), callDeadline)
			defer cancel()
			body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
			if err != nil {
				http.Error(w, "the body cannot be read", http.StatusBadRequest)
				return
			}
			text, yes, err := do(ctx, r.PathValue("key"), string(body), r.URL.Query().Get(query))
			switch {
			case err != nil:
				http.Error(w, err.Error(), statusOf(err))
			case !yes:
				w.WriteHeader(no)
			default:
				_, _ = io.WriteString(w, text) // the client may be gone
			}
		})
	}
	route := func(pattern string, no int, do func(ctx context.Context, key, body string) (text string, yes bool, err error)) {
		routeWith(pattern, "", no, func(ctx context.Context, key, body, _ string) (string, bool, error) { return do(ctx, key, body) })
	}
	route("GET /k/{key}", http.StatusNotFound, func(ctx context.Context, key, _ string) (string, bool, error) {
		return cache.Get(ctx, key)
	})
	routeWith("PUT /k/{key}", "life", 0, func(ctx context.Context, key, body, life string) (string, bool, error) {
		if life == "" {
			return "", true, cache.Put(ctx, key, body)
		}
		d, err := time.ParseDuration(life)
		if err != nil {
			return "", false, err
		}
		return "", true, cache.WithExpiryPolicy(jcache.Created[string, string](d)).Put(ctx, key, body)
	})
	route("DELETE /k/{key}", http.StatusNotFound, func(ctx context.Context, key, _ string) (string, bool, error) {
		existed, err := cache.Remove(ctx, key)
		return "", existed, err
	})
	route("POST /cas/{key}", http.StatusConflict, func(ctx context.Context, key, body string) (string, bool, error) {
		old, changed, _ := strings.Cut(body, "\n")
		replaced, err := cache.CompareAndReplace(ctx, key, old, changed)
		return "", replaced, err
	})
	route("POST /new/{key}", http.StatusConflict, func(ctx context.Context, key, body string) (string, bool, error) {
		stored, err := cache.PutIfAbsent(ctx, key, body)
		return "", stored, err
	})
	route("POST /add/{key}", 0, func(ctx context.Context, key, _ string) (string, bool, error) {
		n, err := add.Invoke(ctx, cache, key, 1)
		return n, true, err
	})
	route("GET /all", 0, func(ctx context.Context, _, _ string) (string, bool, error) {
		var lines bytes.Buffer
		for entry, err := range cache.All(ctx) {
			if err != nil {
				return "", false, err
			}
			fmt.Fprintf(&lines, "%s\t%s\n", entry.Key, entry.Value)
		}
		return lines.String(), true, nil
	})
	route("GET /size", 0, func(ctx context.Context, _, _ string) (string, bool, error) {
		n, err := cache.Size(ctx)
		return fmt.Sprint(n), true, err
	})
	route("POST /local", http.StatusNotFound, func(_ context.Context, _, body string) (string, bool, error) {
		var lines strings.Builder
		for key := range strings.Lines(body) {
			switch local, known := cache.Local(strings.TrimSuffix(key, "\n")); {
			case !known:
				return "", false, nil
			case local:
				lines.WriteString(key)
			}
		}
		return lines.String(), true, nil
	})
	routeWith("GET /status", "collect", 0, func(ctx context.Context, _, _, collect string) (string, bool, error) {
		s, err := statusOfServer(ctx, cache, collect != "")
		if err != nil {
			return "", false, err
		}
		text, err := json.Marshal(s)
		return string(text), true, err
	})
	route("POST /clock", 0, func(_ context.Context, _, body string) (string, bool, error) {
		ahead, err := time.ParseDuration(body)
		if err == nil {
			watch.set(ahead)
		}
		return "", true, err
	})
	return mux
}

// statusOf tells what certainly was not done from what may have been.
func statusOf(err error) int {
	if errors.Is(err, jcache.ErrIndeterminate) {
		return http.StatusGatewayTimeout
	}
	for _, nothing := range []error{jcache.ErrUnavailable, jcache.ErrContention, jcache.ErrFull, jcache.ErrClosed} {
		if errors.Is(err, nothing) {
			return http.StatusServiceUnavailable
		}
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return http.StatusGatewayTimeout
	}
	return http.StatusInternalServerError
}
