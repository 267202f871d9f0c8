// Command hello counts the visits of each visitor. It is the program of the README; the
// test here runs what stands there.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"

	"github.com/keepsake-cache/keepsake/configfile"
	"github.com/keepsake-cache/keepsake/httpsession"
	_ "github.com/keepsake-cache/keepsake/providers" // the providers a file can choose from
)

func main() {
	ctx := context.Background()
	cfg, err := configfile.Load("keepsake.yaml")
	if err != nil {
		log.Fatal(err)
	}
	system, err := cfg.Open(ctx)
	if err != nil {
		log.Fatal(err)
	}
	sessions, err := system.Sessions("")
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("/", sessions.Handler(http.HandlerFunc(visit)))
	http.Handle("/healthz", system.HealthHandler())
	// Serves until the process is asked to end, and then hands the sessions over.
	if err := system.Serve(ctx, &http.Server{Addr: "127.0.0.1:8000"}); err != nil {
		log.Fatal(err)
	}
}

func visit(w http.ResponseWriter, r *http.Request) {
	n, err := httpsession.Update(r.Context(), httpsession.From(r), "visits",
		func(n int, _ bool) (int, error) { return n + 1, nil })
	if err != nil {
		http.Error(w, "no session", httpsession.Status(err))
		return
	}
	fmt.Fprintf(w, "visit %d\n", n)
}
