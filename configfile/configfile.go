// Package configfile reads the file in which an operator chooses providers, caches and
// sessions, and opens what it describes:
//
//	cfg, err := configfile.Load("shop.yaml")
//	…
//	system, err := cfg.Open(ctx)
//	…
//	sessions, err := system.Sessions("")
//	…
//	http.ListenAndServe(addr, sessions.Handler(mux))
//
// The providers that a file can name are those that are linked into the program, all of
// them with
//
//	import _ "github.com/keepsake-cache/keepsake/providers"
//
// # The document
//
// A file is XML or YAML, with the same meaning:
//
//	<keepsake>                                      cacheManager:
//	  <cacheManager provider="memcached">             provider: memcached
//	    <properties servers="10.1.0.5, 10.1.0.6"/>    properties:
//	    <cache name="catalog"                           servers: [10.1.0.5, 10.1.0.6]
//	           expiryPolicy="created" expiry="10m"/>  cache:
//	  </cacheManager>                                   - name: catalog
//	  <httpSession invalidationTimeout="1h"/>             expiryPolicy: created
//	</keepsake>                                           expiry: 10m
//	                                                httpSession:
//	                                                  invalidationTimeout: 1h
//
// A cacheManager is all that a file needs. The names and units of httpSession,
// httpSessionCache and httpSessionDatabase are Open Liberty's; Config.Describe lists them with their defaults, and
// where those are safer than Open Liberty's. Attributes that would not be obeyed are
// refused with the reason.
//
// An XML element is a YAML key with a map, and an attribute, or an element of nothing but
// text, is a key with a scalar. Elements that may repeat are a YAML sequence; a single one
// may also be a map. Lists are texts with commas, or YAML sequences.
//
//   - Durations are 1d2h3m4s5ms or any part of it; a bare number counts seconds, unless the
//     setting says otherwise.
//   - Sizes are bytes, or 64MiB, 10MB.
//   - ${NAME}, or ${env.NAME}, takes an environment variable, ${NAME:-text} has a default, and
//     $$ is a dollar sign.
//   - File names are relative to the directory of the file that names them.
//
// # Sessions
//
// An httpSessionCache belongs to the httpSession with the same id; where there is one of
// each, they need none. An httpSessionDatabase is one whose cacheManager has the provider sql, and
// names its table. Without either, sessions are in the only cacheManager.
// A file with one cacheManager and neither element has sessions with every default, as in
// Open Liberty; a program without sessions sets Config.Sessions to nil before it opens the
// Config. The cache of an httpSession is called sessions, or sessions.id if it has an id,
// after httpSessionCache's cacheNamePrefix.
//
// # Problems
//
// Files are read strictly. All problems are reported together, each as an [*Error] with its
// line and column. Documents of more than 1 MiB or 10,000 elements and attributes, nested
// deeper than 32, with a DOCTYPE or with YAML aliases are refused.
package configfile

import (
	"errors"
	"os"
	"time"

	"github.com/keepsake-cache/keepsake/httpsession"
	"github.com/keepsake-cache/keepsake/internal/configtree"
	"github.com/keepsake-cache/keepsake/jcache"
)

// Config is what a file says. Programs may change it before they open it, to set a Logger
// for instance.
type Config struct {
	// CacheManagers has at least one element.
	CacheManagers []CacheManagerConfig
	// Sessions has one element for each httpSession.
	Sessions []SessionConfig
	// Shutdown is how System.Serve ends.
	Shutdown Shutdown

	file   string
	getenv func(string) (string, bool)
	now    func() time.Time // nil: time.Now
}

// A CacheManagerConfig is what the file says of a cacheManager.
type CacheManagerConfig struct {
	// ID is what references call it; empty if it is the only one and has no id.
	ID     string
	Config jcache.Config

	at *configtree.Node
}

// A SessionConfig is what the file says of an httpSession, with its httpSessionCache or httpSessionDatabase.
type SessionConfig struct {
	// ID is its id; empty if it is the only one and has none.
	ID string
	// CacheManager is the ID of the cache manager that keeps the sessions.
	CacheManager string
	Options      httpsession.Options

	at *configtree.Node
}

// Load reads a file. Its extension, .xml, .yaml or .yml, says which syntax it has;
// otherwise its first character does. No connection is opened. If there are problems, the
// files that the document names are read too, so that all problems are reported together; if there
// are none, Config.Check reads them.
//
// The error is an *Error if the file cannot be read, and Errors if its content is wrong.
func Load(path string) (*Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		reason := err
		if cause := errors.Unwrap(err); cause != nil {
			reason = cause // without the path, which the Error has
		}
		return nil, &Error{File: path, Reason: reason.Error(), cause: err}
	}
	return Parse(path, data, os.LookupEnv)
}

// Parse is Load for a document that has been read already. The name stands in messages and
// tells the syntax; file names in the document are relative to its directory. Variables are
// looked up with getenv, which is not nil.
func Parse(name string, data []byte, getenv func(string) (string, bool)) (*Config, error) {
	b := &binder{report: &report{file: name}, getenv: getenv}
	if root := b.read(data); root != nil {
		cfg := b.config(root)
		if b.err() == nil {
			cfg.getenv = getenv
			return cfg, nil
		}
		b.checkRest(cfg)
	}
	return nil, b.err()
}
