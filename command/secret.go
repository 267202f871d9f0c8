package command

import (
	"crypto/rand"
	"fmt"
)

type secretCommand struct{}

// Run prints a secret that nobody guesses: 130 random bits as text.
func (*secretCommand) Run(to streams) error {
	_, err := fmt.Fprintln(to.out, rand.Text())
	return err
}
