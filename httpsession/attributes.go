package httpsession

import (
	"context"
	"fmt"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/codec"
)

// maxNameBytes is the longest name an attribute may have.
const maxNameBytes = 255

var errNoName = fmt.Errorf("httpsession: %w: an attribute needs a name", jcache.ErrInvalid)

// Get returns an attribute, or ok == false if the session has none of that name or
// there is no session. The value is decoded anew each time, so changing it changes
// nothing but the copy. An attribute that is not a T matches jcache.ErrTypeMismatch;
// codec.Decode says which types can be read as which.
//
// Servlet: HttpSession.getAttribute.
func Get[T any](ctx context.Context, s *Session, name string) (value T, ok bool, err error) {
	data, ok, err := s.attribute(ctx, name)
	if err != nil || !ok {
		return value, false, err
	}
	value, err = codec.Decode[T](data)
	return value, err == nil, err
}

// attribute returns an encoded attribute as this request sees it.
func (s *Session) attribute(ctx context.Context, name string) ([]byte, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.look(ctx); err != nil {
		return nil, false, err
	}
	if value, changed := s.wishes.changes.find(name); changed {
		return value, value != nil, nil
	}
	value, ok := s.index.attribute(&s.from.Value, name)
	return value, ok, nil
}

// Set gives an attribute a value: anything that Options.Codec can give back equal, by
// default what codec.Append says; the rest is an error with the path to it. It is
// stored when the response begins, or at once if it has begun. Other requests that set
// other attributes meanwhile do not undo it, nor it them; of those that set the same one, the
// last to be stored wins. A name of more than 255 bytes, or a value that the provider cannot
// take together with what is known of the session, is ErrTooLarge. After an error, the
// attribute is as it was.
//
// Servlet: HttpSession.setAttribute.
func (s *Session) Set(name string, value any) error {
	if err := checkName(name); err != nil {
		return err
	}
	data, err := s.encode(value)
	if err != nil {
		return err
	}
	return s.wish(func(w *wishes) error {
		c := change{name, data}
		if err := s.fits(c); err != nil {
			return err
		}
		w.changes.put(c)
		w.create = true
		return nil
	})
}

// Delete removes an attribute, in the same way as Set stores one. It does not create a
// session.
//
// Servlet: HttpSession.removeAttribute.
func (s *Session) Delete(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	return s.wish(func(w *wishes) error {
		w.changes.put(change{name, nil})
		return nil
	})
}

func checkName(name string) error {
	switch {
	case name == "":
		return errNoName
	case len(name) > maxNameBytes:
		return fmt.Errorf("httpsession: %w: an attribute's name of %d bytes, more than %d", ErrTooLarge, len(name), maxNameBytes)
	}
	return nil
}

// fits returns an error if the session becomes too large with one change more, as far as
// that is known.
func (s *Session) fits(c change) error {
	size := s.wishes.changes.sizeWith(c)
	if err := s.manager.store.fits(size); err != nil || s.state != present {
		return err
	}
	r := &s.from.Value
	if size += len(r.attributes); s.manager.store.fits(size) == nil {
		return nil
	}
	return s.manager.store.fits(size - s.wishes.changes.freedWith(c, func(name string) int {
		if value, ok := s.index.attribute(r, name); ok {
			return attributeSize(len(name), len(value))
		}
		return 0
	}))
}

// Update changes an attribute atomically: fn gets its value, or ok == false if there
// is none, and returns the new one, which Update stores at once and returns. If other
// requests change the session meanwhile, on whichever server, fn runs again on what
// they left. What the request has done before to the session, Renew and Invalidate included,
// is stored with it, in order. If fn returns an error, nothing is stored. fn must not use
// the session. A client that hangs up does not stop Update; a deadline of ctx does.
func Update[T any](ctx context.Context, s *Session, name string, fn func(value T, ok bool) (T, error)) (T, error) {
	var result T
	if err := checkName(name); err != nil {
		return result, err
	}
	err := s.update(ctx, name, func(data []byte, ok bool) ([]byte, error) {
		var value T
		var err error
		if ok {
			if value, err = codec.Decode[T](data); err != nil {
				return nil, err
			}
		}
		if result, err = fn(value, ok); err != nil {
			return nil, err
		}
		return s.encode(result)
	})
	if err != nil {
		var zero T
		return zero, err
	}
	return result, nil
}

func (s *Session) update(ctx context.Context, name string, fn update) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, cancel, err := s.outlast(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	return s.flush(ctx, name, fn)
}
