package hazelcast

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/hazelcast/hazelcast-go-client/hzerrors"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

const javaError = `server error:
com.hazelcast.splitbrainprotection.SplitBrainProtectionException: Split brain protection exception: key "alice" has failed!
	at com.hazelcast.X.ensure(X.java:1)
	at com.hazelcast.Y.run(Y.java:2)
: server error: com.hazelcast.splitbrainprotection.SplitBrainProtectionException: Split brain protection exception: key "alice" has failed!`

func TestTrim(t *testing.T) {
	for text, want := range map[string]string{
		"packet not sent":                        "packet not sent",
		"first\nsecond":                          "first",
		"broken pipe: broken":                    "broken pipe: broken",
		"refused: refused":                       "refused",
		"":                                       "",
		javaError:                                "a member answered com.hazelcast.splitbrainprotection.SplitBrainProtectionException",
		"server error: com.example.E: key alice": "a member answered com.example.E",
		"server error:":                          "a member answered ",
	} {
		if got := trim(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

func TestErrors(t *testing.T) {
	alive := context.Background()
	ended, cancel := context.WithCancel(alive)
	cancel()
	wrap := func(err error) error { return fmt.Errorf("%s: %w", javaError, err) }
	for _, test := range []struct {
		name  string
		ctx   context.Context
		err   error
		read  error // the sentinel of readError; nil for none
		write error
	}{
		{"closed client", alive, wrap(hzerrors.ErrClientNotActive), driver.ErrUnavailable, driver.ErrUnavailable},
		{"split brain protection", alive, wrap(hzerrors.ErrSplitBrainProtection), driver.ErrUnavailable, driver.ErrUnavailable},
		{"bad argument", alive, wrap(hzerrors.ErrIllegalArgument), nil, nil},
		{"no permission", alive, wrap(hzerrors.ErrAccessControl), nil, nil},
		{"lost connection", alive, wrap(hzerrors.ErrTargetDisconnected), driver.ErrUnavailable, driver.ErrIndeterminate},
		{"paused", alive, wrap(hzerrors.ErrRetryableIO), driver.ErrUnavailable, driver.ErrIndeterminate},
		{"shut down in flight", alive, errors.New("response channel closed"), driver.ErrUnavailable, driver.ErrIndeterminate},
		{"member in trouble", alive, wrap(hzerrors.ErrOutOfMemory), driver.ErrUnavailable, driver.ErrIndeterminate},
		{"attempt ended", alive, context.DeadlineExceeded, driver.ErrUnavailable, driver.ErrIndeterminate},
		{"caller gave up", ended, context.Canceled, nil, driver.ErrIndeterminate},
		{"caller gave up meanwhile", ended, wrap(hzerrors.ErrTargetDisconnected), nil, driver.ErrIndeterminate},
	} {
		t.Run(test.name, func(t *testing.T) {
			for what, got := range map[string]struct {
				err  error
				want error
			}{
				"read": {readError(test.ctx, test.err), test.read}, "write": {writeError(test.ctx, test.err), test.write},
			} {
				for _, sentinel := range []error{driver.ErrUnavailable, driver.ErrIndeterminate} {
					if errors.Is(got.err, sentinel) != errors.Is(got.want, sentinel) {
						t.Errorf("%s: %v", what, got.err)
					}
				}
				if errors.Is(got.err, context.Canceled) != (test.ctx == ended) || errors.Is(got.err, context.DeadlineExceeded) {
					t.Errorf("%s: wrong context error: %v", what, got.err)
				}
				if trim(got.err.Error()) != got.err.Error() {
					t.Errorf("%s: shows too much: %v", what, got.err)
				}
			}
		})
	}
	if readError(ended, nil) != nil || writeError(ended, nil) != nil {
		t.Error("an error came of nothing")
	}
}
