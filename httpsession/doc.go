// Package httpsession gives HTTP handlers sessions that outlive the server: they are
// kept in a jcache cache, and every server that shares the cache shares them.
//
//	sessions, err := httpsession.New(ctx, caches, httpsession.Options{})
//	…
//	http.ListenAndServe(addr, sessions.Handler(mux))
//
// and in a handler behind it:
//
//	s := httpsession.From(r)
//	name, ok, err := httpsession.Get[string](r.Context(), s, "name")
//	err = s.Set("name", "alice")
//	n, err := httpsession.Update(r.Context(), s, "visits", func(n int, _ bool) (int, error) { return n + 1, nil })
//
// # A request
//
// A session costs nothing until it is used. The first use reads it, in one round
// trip to the provider; the changes of a request are stored together in one more,
// before the first byte of the response leaves. So whoever has the answer can rely
// on it: the next request sees the change on any server. If the changes cannot be
// stored, the answer is an error and nothing of what the handler wrote.
//
// # Concurrency
//
// Requests of one session may run at the same time, on any servers. What they set is
// merged attribute by attribute; of two that set the same attribute, the one that
// stores last wins. Where that is not enough, Update changes an attribute
// atomically.
//
// # Life and death
//
// A session ends when it was not used for its idle time, when it reaches its
// lifetime, or when a handler invalidates it. Uses are recorded about a hundred times
// within an idle time, not each time, by moving the entry's deadline. A session that
// was invalidated, or whose id was renewed, leaves a tombstone for ten minutes, and a
// request that was still running and has changed something is answered with 409: the
// dead do not come back. The clocks of the servers must be synchronised.
//
// # Security
//
// Ids are 258 random bits. The provider stores sessions under a hash of them, logs
// name them by a salted hash, and an id that no session has is never adopted. The
// cookie is __Host-session with Secure, HttpOnly and SameSite=Lax. Renew the id when
// a visitor logs in.
//
// # The provider
//
// A memory that evicts entries logs visitors out, and so does one that loses them in a
// restart; see the providers' documentation for what each one promises.
package httpsession
