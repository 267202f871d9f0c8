package setting

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

var durationUnits = []struct {
	suffix string
	unit   time.Duration
}{
	{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond},
}

// ParseDuration reads a duration in Liberty's form, any subset of 1d2h3m4s5ms in
// that order, or a bare whole number, possibly negative, that counts units.
func ParseDuration(text string, unit time.Duration) (time.Duration, error) {
	bad := fmt.Errorf("%q is not a duration such as 30m, 1h30m or 250ms", text)
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		if n > math.MaxInt64/int64(unit) || n < math.MinInt64/int64(unit) {
			return 0, fmt.Errorf("%q is too long a duration", text)
		}
		return time.Duration(n) * unit, nil
	}
	var total time.Duration
	next := 0
	for rest := text; rest != ""; {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		letters := len(rest) - digits - len(strings.TrimLeft(rest[digits:], "dhms"))
		n, err := strconv.ParseInt(rest[:digits], 10, 64)
		if err != nil {
			return 0, bad
		}
		suffix := rest[digits : digits+letters]
		for next < len(durationUnits) && durationUnits[next].suffix != suffix {
			next++
		}
		if next == len(durationUnits) {
			return 0, bad
		}
		u := durationUnits[next].unit
		next++
		if n > int64((math.MaxInt64-total)/u) {
			return 0, fmt.Errorf("%q is too long a duration", text)
		}
		total += time.Duration(n) * u
		rest = rest[digits+letters:]
	}
	if next == 0 {
		return 0, bad
	}
	return total, nil
}

// FormatDuration writes d in the form that ParseDuration reads. Fractions of a
// millisecond are cut off.
func FormatDuration(d time.Duration) string {
	if d < 0 {
		return strconv.FormatInt(int64(d/time.Second), 10)
	}
	var b strings.Builder
	for _, u := range durationUnits {
		if n := d / u.unit; n > 0 {
			b.WriteString(strconv.FormatInt(int64(n), 10))
			b.WriteString(u.suffix)
			d -= n * u.unit
		}
	}
	if b.Len() == 0 {
		return "0s"
	}
	return b.String()
}

var sizeUnits = []struct {
	suffix string
	unit   int64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1},
}

// ParseSize reads a size: a whole number of bytes, or one followed by B, kB, MB,
// GB, KiB, MiB or GiB.
func ParseSize(text string) (int64, error) {
	number, unit := text, int64(1)
	for _, u := range sizeUnits {
		if rest, ok := strings.CutSuffix(text, u.suffix); ok {
			number, unit = strings.TrimSpace(rest), u.unit
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/unit {
		return 0, fmt.Errorf("%q is not a size such as 4096, 64MiB or 10MB", text)
	}
	return n * unit, nil
}
