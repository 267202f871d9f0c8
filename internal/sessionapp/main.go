// Package sessionapp is the application under test for sessions across servers: a
// small HTTP interface to the session of the request. Its command is conformance/sessionapp.
package sessionapp

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/keepsake-cache/keepsake/configfile"
	_ "github.com/keepsake-cache/keepsake/providers"
)

// Main serves until the process is asked to end. It takes its options from the command line.
//
// Its routes are listed at newHandler. The session cookie works over plain HTTP.
func Main() {
	listen := flag.String("listen", "127.0.0.1:0", "`address` to listen on")
	name := flag.String("name", "", "the server's `name` in its answers")
	config := flag.String("config", "", "configuration `file`, XML or YAML")
	flag.Parse()
	if err := run(context.Background(), *listen, *name, *config); err != nil {
		fmt.Fprintln(os.Stderr, "sessionapp:", err)
		os.Exit(1)
	}
}

// startTimeout bounds the time until the provider answers.
const startTimeout = 30 * time.Second

func run(ctx context.Context, listen, name, config string) error {
	cfg, err := configfile.Load(config)
	if err != nil {
		return err
	}
	for i := range cfg.Sessions {
		cfg.Sessions[i].Options.Cookie.AllowHTTP = true
	}
	starting, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	system, err := cfg.Open(starting)
	if err != nil {
		return err
	}
	sessions, err := system.Sessions("")
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/system/", system.HealthHandler()) // livez, readyz and healthz
	mux.Handle("/", sessions.Handler(newHandler(name)))
	return system.Serve(ctx, &http.Server{
		Addr: listen, Handler: mux, ReadHeaderTimeout: 10 * time.Second,
		BaseContext: func(l net.Listener) context.Context {
			fmt.Printf("server %s listens on %s\n", name, l.Addr())
			return context.Background()
		},
	})
}
