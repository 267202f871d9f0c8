package wire

import (
	"io"
	"time"
)

const (
	// bulkRate is how many bytes in a second go to each peer in bulk. To copy faster
	// would take the processors away from those who wait for an answer.
	bulkRate = 16 << 20
	// bulkPiece is how many of them go at once, so that the peer, too, does something else
	// in between.
	bulkPiece = 8 << 10
)

// paced writes in pieces, and waits after each, so that no more than rate bytes go in a
// second, until end is closed.
func paced(w io.Writer, b []byte, rate int, end <-chan struct{}) error {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for len(b) > 0 {
		piece := b[:min(len(b), bulkPiece)]
		if _, err := w.Write(piece); err != nil {
			return err
		}
		b = b[len(piece):]
		pause.Reset(time.Duration(len(piece)) * time.Second / time.Duration(rate))
		select {
		case <-pause.C:
		case <-end:
			return ErrClosed
		}
	}
	return nil
}
