//go:build !unix

package servers

import (
	"errors"
	"fmt"
)

var errPause = fmt.Errorf("%w: this system cannot freeze a process", errors.ErrUnsupported)

// Pause freezes the process until Resume, where the system can.
func (p *Process) Pause() error { return errPause }

// Resume lets a paused process go on.
func (p *Process) Resume() error { return errPause }
