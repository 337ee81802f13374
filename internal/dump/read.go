package dump

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"unicode/utf16"
)

// Read reads a dump. The name of the file is for messages only. Every error is
// an *Error. A dump that holds a list of nothing gives an empty cluster.
func Read(file string, data []byte) (*Cluster, error) {
	text, err := plain(data)
	if err != nil {
		return nil, &Error{File: file, Reason: err.Error()}
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, &Error{File: file, Reason: "is empty: has kubectl failed?"}
	}
	c := newCollection(file)
	if isJSON(text) {
		err = c.readJSON(text)
	} else {
		err = c.readYAML(text)
	}
	if err != nil {
		return nil, err
	}
	if len(c.objects) == 0 && len(c.ignored) == 0 && len(c.notes) == 0 {
		return nil, &Error{File: file, Line: 1, Reason: "holds no object: give it what kubectl prints with -o yaml or -o json"}
	}
	return c.cluster(), nil
}

// isJSON: an object whose first key is quoted. YAML may begin with a brace too, but
// nobody quotes its keys.
func isJSON(text []byte) bool {
	inside, object := bytes.CutPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("{"))
	inside = bytes.TrimLeft(inside, " \t\r\n")
	return object && (len(inside) == 0 || inside[0] == '"' || inside[0] == '}')
}

// plain takes the byte order mark off, and turns UTF-16, which PowerShell writes
// into redirected files, into UTF-8.
func plain(data []byte) ([]byte, error) {
	switch {
	case bytes.HasPrefix(data, []byte{0xEF, 0xBB, 0xBF}):
		return data[3:], nil
	case bytes.HasPrefix(data, []byte{0xFF, 0xFE}):
		return fromUTF16(data[2:], binary.LittleEndian), nil
	case bytes.HasPrefix(data, []byte{0xFE, 0xFF}):
		return fromUTF16(data[2:], binary.BigEndian), nil
	case bytes.IndexByte(data, 0) >= 0:
		return nil, errors.New("is no text: give it what kubectl prints with -o yaml or -o json")
	}
	return data, nil
}

func fromUTF16(data []byte, order binary.ByteOrder) []byte {
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = order.Uint16(data[2*i:])
	}
	return []byte(string(utf16.Decode(units)))
}

// found is one object in the text.
type found struct {
	header
	line int
	// json gives the object as JSON.
	json func() ([]byte, error)
	// lineOf gives the line of what a decoding error is about.
	lineOf func(*json.UnmarshalTypeError) int
}

// take decodes an object, or notes that it is ignored.
func (c *collection) take(f found) error {
	if f.Kind == "" {
		return c.fail(f.line, "", "has no kind: give it what kubectl prints with -o yaml or -o json")
	}
	group, _, versioned := strings.Cut(f.APIVersion, "/")
	if !versioned {
		group = ""
	}
	if known, ok := kinds[f.Kind]; !ok || !slices.Contains(known.groups, group) {
		c.ignore(f.header)
		return nil
	}
	text, err := f.json()
	if err != nil {
		return err
	}
	object, err := decode(f.Kind, text)
	if err != nil {
		line := f.line
		if typed, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			line = f.lineOf(typed)
		}
		return c.fail(line, strings.TrimSpace(f.Kind+" "+nameIn(text)), decodeReason(err))
	}
	if object.GetName() == "" {
		return c.fail(f.line, f.Kind, "has no metadata.name")
	}
	if needless(object) {
		c.ignore(f.header)
		return nil
	}
	name := object.GetName()
	if namespace := object.GetNamespace(); namespace != "" {
		name = namespace + "/" + name
	}
	return c.add(key{f.Kind, name}, entry{group: group, line: f.line, value: object})
}

func (c *collection) ignore(h header) {
	name := h.Kind
	if h.APIVersion != "" {
		name += " (" + h.APIVersion + ")"
	}
	c.ignored[name]++
}

func (c *collection) fail(line int, object, reason string) error {
	return &Error{File: c.file, Line: line, Object: object, Reason: reason}
}

// nameIn finds the name of an object that cannot be decoded otherwise.
func nameIn(text []byte) string {
	var named struct {
		Metadata struct {
			Name string `json:"name"`
		} `json:"metadata"`
	}
	if json.Unmarshal(text, &named) != nil {
		return ""
	}
	return named.Metadata.Name
}

// isList: "List" and typed lists such as "NodeList".
func (h header) isList() bool { return strings.HasSuffix(h.Kind, "List") }

// itemOf fills in what an item of a typed list does not say: the items of a
// NodeList are Nodes. A plain List says nothing of its items.
func (h header) itemOf(list *header) header {
	if list == nil || h.Kind != "" || list.Kind == "List" {
		return h
	}
	return header{APIVersion: list.APIVersion, Kind: strings.TrimSuffix(list.Kind, "List")}
}

// emptyList notes a list without items, so that it counts as read.
func (c *collection) emptyList(list header) {
	c.notes = append(c.notes, "an empty "+list.Kind)
}
