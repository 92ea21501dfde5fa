package kind

import (
	"bytes"
	"encoding/json"

	"github.com/shmkit/shmkit/internal/address"
)

// Object is what a kind tells of one object: fields in the order in which they
// are shown. As JSON it is an object of all fields in that order.
type Object struct {
	// Address names this object and no other, even if its key comes to mean
	// another one.
	Address address.Address
	// Owners are the users to whom it belongs: owner and creator.
	Owners []uint32
	Fields []Field
}

// Field is one thing known of an object.
type Field struct {
	Name  string // JSON key, stable: "creator_pid"
	Value Value
	// Machine: for JSON only. People see it as part of another field.
	Machine bool
}

// Column is one column of a table of objects.
type Column struct {
	Heading string // one word, capitals
	Field   string // name of the field it shows
	Right   bool   // numbers stand to the right
	Long    bool   // only in the long form
}

// Value returns the value of a field, nil if there is none of that name.
func (o Object) Value(name string) Value {
	for _, f := range o.Fields {
		if f.Name == name {
			return f.Value
		}
	}
	return nil
}

// Set changes the value of a field, or adds the field.
func (o *Object) Set(name string, v Value) {
	for i := range o.Fields {
		if o.Fields[i].Name == name {
			o.Fields[i].Value = v
			return
		}
	}
	o.Fields = append(o.Fields, Field{Name: name, Value: v})
}

// MarshalJSON implements json.Marshaler.
func (o Object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, f := range o.Fields {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(f.Name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(f.Value)
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}
