package driver

// A Measurer is a Provider that has numbers of its own for those who watch over it.
type Measurer interface {
	// Measures answers from knowledge, without any input or output: the same measures in the
	// same order each time, with the values of now.
	Measures() []Measure
}

// A Measure is a number that a provider knows of itself.
type Measure struct {
	// Name is that of a Prometheus metric without its first word, keepsake: it begins with
	// the provider's, has units as its last word, and _total if it is a counter.
	Name string
	// Help is one sentence.
	Help string
	// Labels are pairs of a name and a value. Measures of one name differ in the values only.
	Labels [][2]string
	// Counter says that the value never falls while the process lives.
	Counter bool
	Value   float64
}
