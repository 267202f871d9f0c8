package main

import (
	"errors"
	"os"
	"runtime/pprof"
)

// A profile of a process's time is written between two calls of toggle.
type profile struct{ file *os.File }

// toggle begins a profile in a file, or ends the one that was begun.
func (p *profile) toggle(path string) error {
	if p.file != nil {
		pprof.StopCPUProfile()
		err := p.file.Close()
		p.file = nil
		return err
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return errors.Join(err, file.Close())
	}
	p.file = file
	return nil
}
