package httpsession_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"time"

	"github.com/keepsake-cache/keepsake/httpsession"
	"github.com/keepsake-cache/keepsake/providers/memory"
)

// login gives the session a new id, so that one which somebody else has planted is worth nothing.
func login(w http.ResponseWriter, r *http.Request) {
	session := httpsession.From(r)
	if err := session.Renew(); err != nil {
		http.Error(w, "try again", httpsession.Status(err))
		return
	}
	if err := session.Set("user", r.FormValue("user")); err != nil {
		http.Error(w, "try again", httpsession.Status(err))
	}
}

func logout(w http.ResponseWriter, r *http.Request) {
	if err := httpsession.From(r).Invalidate(r.Context()); err != nil {
		http.Error(w, "try again", httpsession.Status(err))
	}
}

func whoami(w http.ResponseWriter, r *http.Request) {
	user, ok, err := httpsession.Get[string](r.Context(), httpsession.From(r), "user")
	if err != nil {
		http.Error(w, "try again", httpsession.Status(err))
		return
	}
	fmt.Fprintln(w, user, ok)
}

// A login, a request of who has logged in, and a logout.
func ExampleSession_Renew() {
	ctx := context.Background()
	caches, err := memory.Open(memory.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer caches.Close(ctx) //nolint:errcheck // memory has nothing to lose
	sessions, err := httpsession.New(ctx, caches, httpsession.Options{
		MaxInactive: 20 * time.Minute,
		Cookie:      httpsession.Cookie{AllowHTTP: true}, // this example has no TLS
	})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/login", login)
	mux.HandleFunc("/logout", logout)
	mux.HandleFunc("/whoami", whoami)
	server := httptest.NewServer(sessions.Handler(mux))
	defer server.Close()

	jar, err := cookiejar.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	browser := http.Client{Jar: jar}
	for _, path := range []string{"/whoami", "/login?user=alice", "/whoami", "/logout", "/whoami"} {
		resp, err := browser.Get(server.URL + path)
		if err != nil {
			log.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close() //nolint:errcheck // it was only read from
		fmt.Printf("%s %d %s %v\n", path, resp.StatusCode, text, err)
	}
	// Output:
	// /whoami 200  false
	//  <nil>
	// /login?user=alice 200  <nil>
	// /whoami 200 alice true
	//  <nil>
	// /logout 200  <nil>
	// /whoami 200  false
	//  <nil>
}
