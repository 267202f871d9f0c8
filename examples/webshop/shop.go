package main

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/keepsake-cache/keepsake/httpsession"
)

// A product is something the shop sells.
type product struct {
	ID, Name, About string
	Cents           int
	Color           string // of its picture
}

// Price is the price as it is shown.
func (p product) Price() string { return price(p.Cents) }

func price(cents int) string { return fmt.Sprintf("€ %d.%02d", cents/100, cents%100) }

var products = []product{
	{"sencha", "Sencha", "Green tea from Shizuoka, 100 g", 1290, "#7a9e5f"},
	{"assam", "Assam", "Black tea, malty and strong, 100 g", 890, "#9a4f2c"},
	{"rooibos", "Rooibos", "Red bush, no caffeine, 100 g", 650, "#c2683a"},
	{"pot", "Teapot", "Stoneware, 0.8 l, with strainer", 4200, "#5c6f82"},
	{"cup", "Cup", "Porcelain, thin, 0.15 l", 1450, "#c9a66b"},
	{"honey", "Honey", "Linden blossom, 250 g", 780, "#d9a42b"},
}

// A cart holds how many of which product a visitor wants. It is an attribute of the
// session, stored as it is.
type cart map[string]int

// line is a product in the cart.
type line struct {
	product
	Count int
}

// Sum is what the line costs.
func (l line) Sum() string { return price(l.Cents * l.Count) }

func (c cart) lines() (lines []line, total int) {
	for _, p := range products {
		if n := c[p.ID]; n > 0 {
			lines = append(lines, line{p, n})
			total += n * p.Cents
		}
	}
	return lines, total
}

//go:embed web
var web embed.FS

var pages = template.Must(template.ParseFS(web, "web/*.html"))

// static serves what pages refer to.
var static = http.StripPrefix("/static/", http.FileServerFS(webFiles()))

func webFiles() fs.FS {
	files, err := fs.Sub(web, "web")
	if err != nil {
		panic(err) // the files are compiled in
	}
	return files
}

// A shop is one server's handler. It knows nothing of the provider but its name.
type shop struct {
	mux      *http.ServeMux
	server   string
	provider string
	started  time.Time
	stop     func() // ends the server, as a crash would
}

func newShop(server, provider string) *shop {
	s := &shop{mux: http.NewServeMux(), server: server, provider: provider, started: time.Now(), stop: crash}
	s.mux.Handle("GET /static/", static)
	s.mux.HandleFunc("GET /{$}", s.showPage)
	s.mux.HandleFunc("POST /cart", s.changeCart)
	s.mux.HandleFunc("POST /stop", s.stopServer)
	s.mux.HandleFunc("GET /ServiceA", s.serviceA)
	s.mux.HandleFunc("GET /ServiceB", s.serviceB)
	return s
}

// ServeHTTP implements http.Handler.
func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Shop-Server", s.server)
	s.mux.ServeHTTP(w, r)
}

// fail answers when the session cannot be reached.
func fail(w http.ResponseWriter, err error) {
	http.Error(w, "The shop cannot reach the carts right now. Please try again.", httpsession.Status(err))
}

// showPage shows the products and the visitor's cart.
func (s *shop) showPage(w http.ResponseWriter, r *http.Request) {
	c, _, err := httpsession.Get[cart](r.Context(), httpsession.From(r), "cart")
	if err != nil {
		fail(w, err)
		return
	}
	lines, total := c.lines()
	count := 0
	for _, l := range lines {
		count += l.Count
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	servers := serverStates(r.Header.Get(statesHeader))
	stopped := r.FormValue("stopped")
	if !slices.Contains(servers, serverState{stopped, false}) {
		stopped = ""
	}
	err = pages.ExecuteTemplate(w, "page.html", map[string]any{
		"Server":   s.server,
		"PID":      os.Getpid(),
		"Uptime":   time.Since(s.started).Round(time.Second),
		"Provider": s.provider,
		"Alone":    s.provider == "memory",
		"Servers":  servers,
		"Stopped":  stopped,
		"Products": products,
		"Lines":    lines,
		"Count":    count,
		"Total":    price(total),
	})
	if err != nil {
		http.Error(w, "The page cannot be shown.", http.StatusInternalServerError)
	}
}

// serverState is what the balancer tells about a server.
type serverState struct {
	Name string
	Up   bool
}

// statesHeader carries the states of all servers from the balancer to a shop, as
// "A=up B=down".
const statesHeader = "X-Shop-Servers"

func serverStates(header string) []serverState {
	var states []serverState
	for field := range strings.FieldsSeq(header) {
		name, state, _ := strings.Cut(field, "=")
		states = append(states, serverState{name, state == "up"})
	}
	return states
}

// changeCart adds to the cart or takes from it, atomically: two windows of the same
// visitor, on two servers, lose nothing.
func (s *shop) changeCart(w http.ResponseWriter, r *http.Request) {
	id, step := r.FormValue("product"), 1
	if r.FormValue("do") == "remove" {
		step = -1
	}
	known := false
	for _, p := range products {
		known = known || p.ID == id
	}
	if !known {
		http.Error(w, "There is no such product.", http.StatusNotFound)
		return
	}
	_, err := httpsession.Update(r.Context(), httpsession.From(r), "cart", func(c cart, _ bool) (cart, error) {
		if c == nil {
			c = cart{}
		}
		if c[id] += step; c[id] <= 0 {
			delete(c, id)
		}
		return c, nil
	})
	if err != nil {
		fail(w, err)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// serviceA sets an attribute of the session.
func (s *shop) serviceA(w http.ResponseWriter, r *http.Request) {
	name, value := r.FormValue("name"), r.FormValue("value")
	if err := httpsession.From(r).Set(name, value); err != nil {
		http.Error(w, "Say which attribute: /ServiceA?name=foo&value=bar", http.StatusBadRequest)
		return
	}
	answer(w, name, value)
}

// serviceB shows an attribute of the session.
func (s *shop) serviceB(w http.ResponseWriter, r *http.Request) {
	name := r.FormValue("name")
	value, ok, err := httpsession.Get[string](r.Context(), httpsession.From(r), name)
	switch {
	case err != nil:
		fail(w, err)
	case !ok:
		http.Error(w, "The session has no such attribute.", http.StatusNotFound)
	default:
		answer(w, name, value)
	}
}

func answer(w http.ResponseWriter, name, value string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintf(w, "%s=%s", name, value)
}

// stopServer answers and then ends the server, without any goodbye to the provider.
func (s *shop) stopServer(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)    // so that the system has nothing left to refuse
	w.Header().Set("Content-Length", "0") // so that the answer is complete when it is flushed
	http.Redirect(w, r, "/", http.StatusSeeOther)
	_ = http.NewResponseController(w).Flush() // the redirect is out before the end
	s.stop()
}
