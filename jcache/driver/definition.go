package driver

import (
	"context"
	"errors"
	"slices"

	"github.com/keepsake-cache/keepsake/jcache/driver/setting"
)

// A Definition is what a provider registers under the name that configuration
// files use.
type Definition struct {
	// Name is the provider's name: lower-case letters and digits.
	Name string
	// Doc says in one sentence what the provider is for.
	Doc string
	// URI says what kind of file the uri attribute names. Empty: the provider
	// has no file of its own, and a uri is refused.
	URI string
	// Settings are the properties that the provider understands; any other
	// is refused.
	Settings []Setting
	// Rules relate the settings to each other.
	Rules []setting.Rule
	// Check looks at a configuration without opening anything: it reads
	// the file behind uri, if there is one, and every other file, and refuses all
	// that Open would refuse before it connects. Notices are what an operator should
	// know although nothing is wrong. The error may join several; one that is a
	// *setting.Problem, or begins with the name of a setting and a colon, as in
	// "tls.caFile: …", is shown at its place in the file. What Settings and Rules declare
	// has been checked, and what is wrong with it is reported in any case. Nil: there is
	// nothing more to check.
	Check func(cfg Config) (notices []string, err error)
	// Resolve says which values come neither from the settings nor from their defaults,
	// such as those of the file behind uri, for keepsake check. It is called after
	// Check, without an error. Nil: there are none.
	Resolve func(cfg Config) ([]setting.Resolved, error)
	// Prepare returns what an operator gives to the backend before it is opened, if programs may not
	// do so themselves: the statements that create tables, say. It looks only at the settings that
	// concern it, and connects to nothing. Nil: there is nothing to prepare.
	Prepare func(cfg Config) (string, error)
	// Open connects. It validates cfg before it does anything else, and on an
	// error it has closed whatever it opened.
	Open func(ctx context.Context, cfg Config) (Provider, error)
}

// Config is what a configuration file says about one provider.
type Config struct {
	// URI is the path of the provider's own file, resolved; or empty.
	URI string
	// Values are the settings, with their defaults filled in.
	Values Values
}

// Configure completes the settings that were given, each of the Go type of its kind, with
// their defaults, and checks all that can be checked without a connection. The error joins
// all problems.
func (d Definition) Configure(uri string, given map[string]any) (cfg Config, notices []string, err error) {
	values, err := setting.Complete(d.Settings, given)
	if uri != "" && d.URI == "" {
		err = errors.Join(err, errors.New("uri: the provider "+d.Name+" has no file of its own; leave it out"))
	}
	cfg = Config{URI: uri, Values: values}
	errs := append(setting.Each(err), setting.Each(setting.Validate(d.Settings, d.Rules, values))...)
	if d.Check != nil {
		var checked error
		notices, checked = d.Check(cfg)
		for _, one := range setting.Each(checked) {
			if !slices.ContainsFunc(errs, func(have error) bool { return have.Error() == one.Error() }) {
				errs = append(errs, one)
			}
		}
	}
	if errs != nil {
		return Config{}, nil, errors.Join(errs...)
	}
	return cfg, notices, nil
}
