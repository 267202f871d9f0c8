package configfile

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
)

// Health is how the system is: the worst of its cache managers. See
// jcache.CacheManager.Health for what ready and safe mean. A system that has begun to end is
// not ready.
func (s *System) Health() jcache.Health {
	return s.healthOf(func(*jcache.CacheManager) bool { return true })
}

// healthOf is the health as far as it is that of some managers.
func (s *System) healthOf(counts func(*jcache.CacheManager) bool) jcache.Health {
	var all jcache.Health
	if s.stopping.Load() {
		all.Unready = append(all.Unready, "this process ends")
	}
	for _, one := range s.managers {
		if !counts(one.manager) {
			continue
		}
		name := ""
		if one.config.ID != "" {
			name = one.config.ID + ": "
		}
		h := one.manager.Health()
		for _, reasons := range []struct{ to, from *[]string }{
			{&all.Unready, &h.Unready}, {&all.Pending, &h.Pending}, {&all.Unsafe, &h.Unsafe},
		} {
			for _, reason := range *reasons.from {
				*reasons.to = append(*reasons.to, name+reason)
			}
		}
		all.Servers = append(all.Servers, h.Servers...)
	}
	for _, f := range s.fleets {
		for _, d := range f.health() {
			all.Differences = append(all.Differences, d)
			if d.Effect != "" {
				all.Unsafe = append(all.Unsafe, d.String())
			}
		}
	}
	return all
}

// HealthHandler answers those who watch over the process. Mount it where they ask:
//
//	/livez    200 as long as the process answers
//	/readyz   200 if it is ready: a balancer may send it requests
//	/healthz  200 if it is safe: the next process of the fleet may be restarted
//
// Any other path is answered like /healthz. Otherwise the status is 503. The body says why,
// a line for each reason, or in JSON if the request accepts application/json; servers that
// are down, and in what other processes differ, are named even if they are no reason.
func (s *System) HealthHandler() http.Handler { return HealthHandler(s.Health) }

// HealthHandler is System.HealthHandler for a health of the caller's.
func HealthHandler(health func() jcache.Health) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := health()
		ok := h.Safe()
		switch path.Base(r.URL.Path) {
		case "livez":
			ok = true
		case "readyz":
			ok = h.Ready()
		}
		status := http.StatusOK
		if !ok {
			status = http.StatusServiceUnavailable
		}
		w.Header().Set("Cache-Control", "no-store")
		if strings.Contains(r.Header.Get("Accept"), "application/json") {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(reportOf(h)) // whoever asked may be gone
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(status)
		_, _ = fmt.Fprint(w, healthText(h, ok)) // likewise
	})
}

// healthText is "ok" or the reasons, and the servers that are down.
func healthText(h jcache.Health, ok bool) string {
	var b strings.Builder
	if ok {
		b.WriteString("ok\n")
	}
	for _, reason := range h.Unready {
		fmt.Fprintf(&b, "not ready: %s\n", reason)
	}
	for _, reason := range h.Reasons()[len(h.Unready):] {
		fmt.Fprintf(&b, "not safe: %s\n", reason)
	}
	for _, d := range h.Differences {
		fmt.Fprintf(&b, "differs: %s\n", d)
	}
	for _, server := range h.Servers {
		if server.Down != "" {
			fmt.Fprintf(&b, "down: %s since %s: %s; %s\n", server.Name, server.Since.Format(time.RFC3339), server.Down, server.Affected)
		}
	}
	return b.String()
}

// A healthReport is the answer in JSON.
type healthReport struct {
	Ready   bool           `json:"ready"`
	Safe    bool           `json:"safe"`
	Unready []string       `json:"unready,omitempty"`
	Unsafe  []string       `json:"unsafe,omitempty"`
	Differs []string       `json:"differs,omitempty"`
	Servers []serverReport `json:"servers,omitempty"`
}

type serverReport struct {
	Name     string     `json:"name"`
	Up       bool       `json:"up"`
	Down     string     `json:"down,omitempty"`
	Since    *time.Time `json:"since,omitempty"`
	Affected string     `json:"affected,omitempty"`
}

func reportOf(h jcache.Health) healthReport {
	r := healthReport{Ready: h.Ready(), Safe: h.Safe(), Unready: h.Unready, Unsafe: h.Reasons()[len(h.Unready):]}
	for _, d := range h.Differences {
		r.Differs = append(r.Differs, d.String())
	}
	for _, server := range h.Servers {
		one := serverReport{Name: server.Name, Up: server.Down == ""}
		if !one.Up {
			one.Down, one.Since, one.Affected = server.Down, &server.Since, server.Affected
		}
		r.Servers = append(r.Servers, one)
	}
	return r
}
