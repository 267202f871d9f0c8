package setting

// A Resolved value comes neither from the settings nor from their defaults: from the provider's
// own file for instance, or from what the machine is like.
type Resolved struct {
	// Name is the setting's, such as tls.caFile; or the name that the value has in its
	// source, if there is no such setting.
	Name string
	// Value has the type of the setting's kind, or is a text. That of a secret is not shown.
	Value any
	// From says where it comes from, such as hazelcast-client.xml:12.
	From string
}
