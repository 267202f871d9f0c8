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
// The calls of a request take effect in their order. Update acts at once, and stores
// what was asked for before it in the same write: after Renew and Update the old id
// is worth nothing. After Invalidate the request begins a new session.
//
// Until the response begins a request sees the session as it was read first, and its own
// changes. Afterwards, in a stream or on a connection that was taken over, every change
// is stored at once, and its error is its caller's; reads look again after each flush and
// every tenth of a second, so that a stream keeps its session alive and sees that it
// ended. What would need a cookie is then ErrHeadersSent.
//
// # Concurrency
//
// Requests of one session may run at the same time, on any servers. What they set is
// merged attribute by attribute; of two that set the same attribute, the one that
// stores last wins, whatever the values are. Where that is not enough, Update changes an
// attribute atomically.
//
// # Life and death
//
// A session ends when it was not used for its idle time, when it reaches its
// lifetime, or when a handler invalidates it. Uses are recorded about a hundred times
// within an idle time, not each time, by moving the entry's deadline. A session that
// was invalidated, or whose id was renewed, leaves a tombstone for ten minutes, and a
// request that was still running and has changed something is answered with 409: the
// dead do not come back. Invalidate with an id that another request has renewed ends what
// the session has become. With a provider that may bring back what ended during a split of its
// network (jcache.CacheManager.Rejoined), what ends a session is also kept in a cache of its own,
// CacheName.ended, for the idle time and an hour. A stored session that is damaged is logged, and is none. The
// clocks of the servers must be synchronised.
//
// # Other handlers
//
// Wrap the handlers that use sessions, and write nothing before. A manager may be in the
// chain twice; several managers, with cookies of their own, are told apart by Manager.From.
// What the handler does to its *http.Request is seen outside. An error that takes the place
// of the handler's answer takes back its headers and leaves those that were there before.
// A framework's middleware must hand the response writer of Handler on to what runs inside;
// if it is seen that it does not, that is logged. In http.TimeoutHandler a request whose time
// is over changes nothing that needs a cookie.
//
// # Security
//
// Ids are 258 random bits. The provider stores sessions under a hash of them, logs
// name them by a salted hash, and an id that no session has is never adopted. The
// cookie is __Host-session with Secure, HttpOnly and SameSite=Lax. Renew the id when
// a visitor logs in. Over plain HTTP browsers do not send the cookie back, which is logged
// once; for development there is Cookie.AllowHTTP.
//
// # The provider
//
// A memory that evicts entries logs visitors out, and so does one that loses them in a
// restart; see the providers' documentation for what each one promises.
package httpsession
