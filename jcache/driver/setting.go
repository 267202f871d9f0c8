package driver

import (
	"crypto/tls"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver/setting"
)

// The names under which a provider that needs no more than declarations and values finds them;
// package setting has the rest.
type (
	// A Setting declares one property of a provider.
	Setting = setting.Setting
	// Kind is the type of a setting's value.
	Kind = setting.Kind
	// Values are a provider's settings as given, or their defaults.
	Values = setting.Values
)

// The kinds of settings, with the Go type of their values.
const (
	KindString   = setting.KindString   // string
	KindFile     = setting.KindFile     // string: a path, resolved; empty if none is meant
	KindInt      = setting.KindInt      // int64
	KindBool     = setting.KindBool     // bool
	KindDuration = setting.KindDuration // time.Duration
	KindSize     = setting.KindSize     // int64, bytes
	KindList     = setting.KindList     // []string
	KindGroup    = setting.KindGroup    // Values
)

// NewValues is [setting.NewValues].
func NewValues(settings []Setting, given map[string]any) (Values, error) {
	return setting.NewValues(settings, given)
}

// TLSSetting is [setting.TLSGroup].
func TLSSetting() Setting { return setting.TLSGroup() }

// TLSConfig is [setting.TLSConfig].
func TLSConfig(v Values) (*tls.Config, error) { return setting.TLSConfig(v) }

// SplitList is [setting.SplitList].
func SplitList(text string) []string { return setting.SplitList(text) }

// ParseDuration is [setting.ParseDuration].
func ParseDuration(text string, unit time.Duration) (time.Duration, error) {
	return setting.ParseDuration(text, unit)
}

// FormatDuration is [setting.FormatDuration].
func FormatDuration(d time.Duration) string { return setting.FormatDuration(d) }

// ParseSize is [setting.ParseSize].
func ParseSize(text string) (int64, error) { return setting.ParseSize(text) }
