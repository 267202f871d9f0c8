package setting_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver/setting"
)

func TestParseDuration(t *testing.T) {
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"0": 0, "30": 30 * time.Second, "-1": -time.Second, "+5": 5 * time.Second,
		"0s": 0, "5ms": 5 * time.Millisecond, "30m": 30 * time.Minute, "1h30m": 90 * time.Minute, "1d2h3m4s5ms": day + 2*time.Hour + 3*time.Minute + 4*time.Second + 5*time.Millisecond,
		"7d": 7 * day, "1d5ms": day + 5*time.Millisecond, "90m": 90 * time.Minute, "106751d": 106751 * day,
	} {
		if got, err := setting.ParseDuration(text, time.Second); got != want || err != nil {
			t.Errorf("%q: got %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", " ", "s", "1x", "1.5h", "1h 30m", "30m1h", "1h1h", "1ms1s", "-5m", "1hm", "h1", "1d-2h", "１h", "5µs", "1m5",
		"106752d", "9223372036854775807", "99999999999999999999", "9223372036854775807ms", "106751d100h",
	} {
		if got, err := setting.ParseDuration(text, time.Second); err == nil {
			t.Errorf("%q: got %v, want an error", text, got)
		}
	}
	if got, err := setting.ParseDuration("250", time.Millisecond); got != 250*time.Millisecond || err != nil {
		t.Errorf("a bare number of milliseconds: %v, %v", got, err)
	}
}

func TestFormatDuration(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"0s": 0, "30m": 30 * time.Minute, "1h30m": 90 * time.Minute, "1d": 24 * time.Hour, "1s5ms": 1005*time.Millisecond + 900, "-1": -time.Second, "106751d23h47m16s854ms": math.MaxInt64,
	} {
		if got := setting.FormatDuration(d); got != want {
			t.Errorf("%d: got %q, want %q", d, got, want)
		}
	}
}

func FuzzDuration(f *testing.F) {
	for _, s := range []string{"", "5", "-5", "1d2h3m4s5ms", "99999999999999999d", "1ms1s"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := setting.ParseDuration(text, time.Second)
		if err != nil || d < 0 {
			return
		}
		if again, err := setting.ParseDuration(setting.FormatDuration(d), time.Second); err != nil || again != d {
			t.Errorf("%q is %v, formatted %q and then %v, %v", text, d, setting.FormatDuration(d), again, err)
		}
	})
}

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "4096": 4096, "1B": 1, "1kB": 1000, "1KB": 1000, "10MB": 10e6, "1GB": 1e9, "1KiB": 1024, "64MiB": 64 << 20, "2GiB": 2 << 30, "64 MiB": 64 << 20, "9223372036854775807": math.MaxInt64, "8589934591GiB": 8589934591 << 30,
	} {
		if got, err := setting.ParseSize(text); got != want || err != nil {
			t.Errorf("%q: got %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "B", "MiB", "-1", "-1kB", "1.5MB", "1mb", "1 M", "1TB", "1KiBB", "9223372036854775808", "8589934592GiB", "9999999999GB"} {
		if got, err := setting.ParseSize(text); err == nil {
			t.Errorf("%q: got %d, want an error", text, got)
		}
	}
}

func FuzzSize(f *testing.F) {
	for _, s := range []string{"", "5", "64MiB", "1 kB", "9223372036854775807B"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if n, err := setting.ParseSize(text); err == nil && (n < 0 || !strings.ContainsAny(text, "0123456789")) {
			t.Errorf("%q is %d", text, n)
		}
	})
}
