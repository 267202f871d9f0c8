package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/keepsake-cache/keepsake/configfile"
)

//go:embed *.yaml *.xml
var configs embed.FS

const defaultConfig = "peer.yaml"

// demonstrate runs the provider's server if it is missing, two shop servers and the
// balancer, until ctx ends.
func demonstrate(ctx context.Context, out io.Writer, listen, config string) error {
	if config == "" {
		dir, err := os.MkdirTemp("", "webshop")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir) //nolint:errcheck // a leftover in the temporary directory
		data, err := configs.ReadFile(defaultConfig)
		if err != nil {
			return err
		}
		config = filepath.Join(dir, defaultConfig)
		if err := os.WriteFile(config, data, 0o600); err != nil {
			return err
		}
	}
	cfg, err := configfile.Load(config)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("%w; choose another address with -listen", err)
	}
	backend, err := startBackend(ctx, out, cfg.CacheManagers[0].Config)
	if err != nil {
		return err
	}
	defer backend()

	f := &fleet{}
	defer f.stop()
	for _, name := range []string{"A", "B"} {
		s := newShopProcess(name, config, out)
		f.shops = append(f.shops, s)
		starting, cancel := context.WithTimeout(ctx, startTimeout)
		err := s.start(starting)
		cancel()
		if err != nil {
			return fmt.Errorf("server %s does not start: %w", name, err)
		}
	}
	fmt.Fprintf(out, "\nThe shop is open: http://%s\nPut something into the cart, stop the server that answers, and look again. Ctrl-C ends it all.\n\n", l.Addr())
	server := &http.Server{Handler: newBalancer(f), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		_ = server.Close() // Serve says that it ended
	}()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
