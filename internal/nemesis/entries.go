package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
)

// entries returns all entries as one server lists them.
func (f *fleet) entries(i int) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), callDeadline+lateness)
	defer cancel()
	status, lines, err := request(ctx, f.client, http.MethodGet, f.url(i)+"/all", "")
	if err != nil {
		return nil, err
	}
	all := make(map[string]string)
	n := 0
	for line := range strings.Lines(lines) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		all[key] = value
		n++
	}
	if status != http.StatusOK || n != len(all) {
		return nil, fmt.Errorf("it answers %d, with %d entries of %d keys", status, n, len(all))
	}
	status, size, err := request(ctx, f.client, http.MethodGet, f.url(i)+"/size", "")
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK || size != fmt.Sprint(n) {
		return nil, fmt.Errorf("it answers %d to the question of their number, which is %s and should be %d", status, size, n)
	}
	return all, nil
}
