package wire

import (
	"bytes"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestPacedTakesItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent, begin := new(bytes.Buffer), time.Now()
		data := bytes.Repeat([]byte("data"), 1<<16)
		if err := paced(sent, data, 1<<20, nil); err != nil || !bytes.Equal(sent.Bytes(), data) {
			t.Errorf("%d bytes were written, %v", sent.Len(), err)
		}
		if took := time.Since(begin); took != time.Second/4 {
			t.Errorf("a quarter of what goes in a second took %v", took)
		}
	})
}

func TestPacedEndsWithTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent, begin, end := new(bytes.Buffer), time.Now(), make(chan struct{})
		time.AfterFunc(time.Second/2, func() { close(end) })
		if err := paced(sent, make([]byte, 1<<20), 1<<20, end); !errors.Is(err, ErrClosed) || time.Since(begin) != time.Second/2 {
			t.Errorf("it ended after %v: %v", time.Since(begin), err)
		}
	})
}
