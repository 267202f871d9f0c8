package httpsession

import (
	"bytes"
	"context"
	"errors"

	"github.com/keepsake-cache/keepsake/jcache"
)

// maxNameBytes is the longest name an attribute may have.
const maxNameBytes = 255

var errName = errors.New("httpsession: an attribute's name has 1 to 255 bytes")

// Get returns an attribute, or ok == false if the session has none of that name or
// there is no session. The value is decoded anew each time, so changing it changes
// nothing but the copy. An attribute that is not a T matches jcache.ErrTypeMismatch;
// jcache.DecodeValue says which types can be read as which.
//
// Servlet: HttpSession.getAttribute.
func Get[T any](ctx context.Context, s *Session, name string) (value T, ok bool, err error) {
	data, ok, err := s.attribute(ctx, name)
	if err != nil || !ok {
		return value, false, err
	}
	value, err = jcache.DecodeValue[T](data)
	return value, err == nil, err
}

// attribute returns an encoded attribute as this request sees it.
func (s *Session) attribute(ctx context.Context, name string) ([]byte, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.look(ctx); err != nil {
		return nil, false, err
	}
	if c := findChange(s.changes, name); c != nil {
		return c.value, c.value != nil, nil
	}
	value, ok := s.rec.attribute(name)
	return value, ok, nil
}

// Set gives an attribute a value: anything that jcache.AppendValue can encode. It is
// stored when the response begins, or at the end of the request if it has begun.
// Other requests that set other attributes meanwhile do not undo it, nor it them.
//
// Servlet: HttpSession.setAttribute.
func (s *Session) Set(name string, value any) error {
	data, err := jcache.AppendValue(nil, value)
	if err != nil {
		return err
	}
	return s.change(change{name, data})
}

// Delete removes an attribute, in the same way as Set stores one.
//
// Servlet: HttpSession.removeAttribute.
func (s *Session) Delete(name string) error {
	return s.change(change{name, nil})
}

func (s *Session) change(c change) error {
	if c.name == "" || len(c.name) > maxNameBytes {
		return errName
	}
	return s.note(func() {
		if old := findChange(s.changes, c.name); old != nil {
			*old = c
			return
		}
		if s.state == present {
			stored, ok := s.rec.attribute(c.name)
			if ok == (c.value != nil) && bytes.Equal(stored, c.value) {
				return // it is so already
			}
		}
		s.changes = append(s.changes, c)
	})
}

// Update changes an attribute atomically: fn gets its value, or ok == false if there
// is none, and returns the new one, which Update stores at once and returns. If other
// requests change the session meanwhile, on whichever server, fn runs again on what
// they left. The request's other changes so far are stored with it. If fn returns
// an error, nothing is stored. fn must not use the session.
func Update[T any](ctx context.Context, s *Session, name string, fn func(value T, ok bool) (T, error)) (T, error) {
	var result T
	if name == "" || len(name) > maxNameBytes {
		return result, errName
	}
	err := s.update(ctx, name, func(data []byte, ok bool) ([]byte, error) {
		var value T
		var err error
		if ok {
			if value, err = jcache.DecodeValue[T](data); err != nil {
				return nil, err
			}
		}
		if result, err = fn(value, ok); err != nil {
			return nil, err
		}
		return jcache.AppendValue(nil, result)
	})
	if err != nil {
		var zero T
		return zero, err
	}
	return result, nil
}

func (s *Session) update(ctx context.Context, name string, fn func(data []byte, ok bool) ([]byte, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.look(ctx); err != nil {
		return err
	}
	edit := func(r record) (record, error) {
		r = s.edited(r)
		data, ok := r.attribute(name)
		data, err := fn(data, ok)
		if err != nil {
			return r, err
		}
		r.attributes = r.apply([]change{{name, data}}, r.now())
		return r, nil
	}
	switch s.state {
	case endedMeanwhile, renewedRecently:
		return ErrEnded
	case present:
		if err := s.write(ctx, edit); err != nil {
			return err
		}
		if s.state != present {
			return ErrEnded
		}
		return nil
	}
	return s.insert(ctx, edit)
}
