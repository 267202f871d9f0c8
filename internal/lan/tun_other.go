//go:build !linux

package lan

import "errors"

func openTun(string) (port, error) { return nil, errors.ErrUnsupported }
