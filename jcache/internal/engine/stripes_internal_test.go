package engine

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestStripes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStripes()
		stripe, waited, err := s.lock(context.Background(), "k")
		if waited || err != nil {
			t.Fatal(waited, err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, _, err := s.lock(ctx, "k"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a taken stripe: got error %v", err)
		}
		go func() {
			stripe, waited, err := s.lock(context.Background(), "k")
			if !waited || err != nil {
				t.Errorf("a stripe that was waited for: %v, %v", waited, err)
			}
			<-stripe
		}()
		synctest.Wait()
		<-stripe
		synctest.Wait()
		if stripe, _, err = s.lock(context.Background(), "k"); err != nil {
			t.Fatal(err)
		}
		<-stripe
		used := make(map[chan struct{}]bool)
		for i := range 2000 {
			stripe, _, err := s.lock(context.Background(), fmt.Sprint(i))
			if err != nil {
				t.Fatal(err)
			}
			used[stripe] = true
			<-stripe
		}
		if len(used) < len(s.locks)/2 {
			t.Errorf("2000 keys use %d of %d stripes", len(used), len(s.locks))
		}
	})
}
