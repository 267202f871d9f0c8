package main

import (
	"fmt"
	"strconv"

	"github.com/keepsake-cache/keepsake/jcache"
)

// add adds to a number, which is absent at first, where it is kept.
var add = jcache.RegisterProcessor("nemesis.add", jcache.Options[string, string]{},
	func(e *jcache.MutableEntry[string, string], by int) (string, error) {
		n := 0
		if value, ok, err := e.Value(); err != nil {
			return "", err
		} else if ok {
			if n, err = strconv.Atoi(value); err != nil {
				return "", fmt.Errorf("it is no number: %w", err)
			}
		}
		value := strconv.Itoa(n + by)
		e.SetValue(value)
		return value, nil
	})
