package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"
)

// A service is what a child is. Its handle answers one request at a time.
type service interface {
	addr() string
	handle(ctx context.Context, r request) (any, error)
	close()
}

// roles are what a child can be, each of its configuration as JSON.
var roles = map[string]func(ctx context.Context, config []byte) (service, error){
	"peer":   servePeer,
	"olric":  serveOlric,
	"echo":   serveEcho,
	"caller": serveCaller,
}

// startPatience is how long a process may take to become ready.
const startPatience = time.Minute

// serve is a child's life.
func serve(role, config string) {
	out := json.NewEncoder(os.NewFile(3, "answers"))
	begin, ok := roles[role]
	if !ok {
		begin = func(context.Context, []byte) (service, error) { return nil, fmt.Errorf("there is no role %q", role) }
	}
	ctx, cancel := context.WithTimeout(context.Background(), startPatience)
	s, err := begin(ctx, []byte(config))
	cancel()
	if err != nil {
		reply(out, nil, err)
		return
	}
	defer s.close()
	reply(out, s.addr(), nil)
	in := json.NewDecoder(os.Stdin)
	for {
		var r request
		if in.Decode(&r) != nil {
			return // the parent is gone, or wants no more
		}
		result, err := s.handle(context.Background(), r)
		reply(out, result, err)
	}
}

func reply(out *json.Encoder, result any, err error) {
	var a answer
	if err == nil {
		a.Result, err = json.Marshal(result)
	}
	if err != nil {
		a = answer{Failed: err.Error()}
	}
	_ = out.Encode(a) // nobody listens any more: the input ends, too
}

var errRequest = errors.New("this process cannot do that")
