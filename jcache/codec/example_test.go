package codec_test

import (
	"fmt"

	"github.com/keepsake-cache/keepsake/jcache/codec"
)

type invoice struct {
	Number int
	Cents  int64
}

func init() { codec.RegisterType[invoice]("shop.invoice") }

// What stands in an interface keeps its type if the type has a name.
func ExampleRegisterType() {
	data, err := codec.Append(nil, []any{invoice{7, 1250}, int8(3), "text"})
	if err != nil {
		panic(err)
	}
	values, err := codec.Decode[[]any](data)
	fmt.Printf("%#v %v\n", values, err)

	type private struct{ A int }
	_, err = codec.Append(nil, map[string]any{"a": private{1}})
	fmt.Println(err != nil)
	// Output:
	// []interface {}{codec_test.invoice{Number:7, Cents:1250}, 3, "text"} <nil>
	// true
}
