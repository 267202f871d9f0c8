package httpsession

import "github.com/keepsake-cache/keepsake/jcache/codec"

// encode encodes an attribute in the format of Options.Codec, and says which it is, so
// that Get reads what was set under another one.
func (s *Session) encode(value any) ([]byte, error) {
	if s.opts == nil || s.opts.Codec == codec.Default {
		return codec.Append(nil, value)
	}
	format, err := codec.FormatOf(s.opts.Codec)
	if err != nil {
		return nil, err
	}
	return codec.AppendAs(format, nil, value)
}
