package dump

import (
	"bytes"
	"encoding/json"
	"strings"

	"sigs.k8s.io/yaml"
)

// readYAML reads the documents of the text. What kubectl prints is a long list:
// it is cut into its items by their indentation, and each is parsed alone. That
// keeps memory and time small, and a broken item is found by its line. An anchor
// reaches no further than its item.
func (c *collection) readYAML(text []byte) error {
	for _, document := range documents(text) {
		if err := c.yamlDocument(document); err != nil {
			return err
		}
	}
	return nil
}

func (c *collection) yamlDocument(document block) error {
	top := document.scan()
	if top.items < 0 {
		return c.yamlObject(document, top.header, nil)
	}
	if !top.header.isList() {
		if top.header.Kind != "" {
			return c.yamlObject(document, top.header, nil)
		}
		return c.fail(document.line+len(document.lines)-1, "",
			"the list ends without saying that it is one (kind: List): the file is cut off")
	}
	items := document.split(top.items)
	if len(items) == 0 {
		// Either empty, or not written in block style.
		return c.yamlObject(document, top.header, nil)
	}
	for _, item := range items {
		if err := c.yamlObject(item, item.scan().header, &top.header); err != nil {
			return err
		}
	}
	return nil
}

// yamlObject reads one object. The header is what a quick look at the lines has
// found; parent is the list that the object is an item of.
func (c *collection) yamlObject(b block, head header, parent *header) error {
	said := head.itemOf(parent)
	if said.Kind != "" && !said.isList() {
		return c.take(c.yamlFound(b, said))
	}
	// Not written as kubectl does it: in flow style, or indented.
	text, err := c.toJSON(b)
	if err != nil {
		return err
	}
	if string(text) == "null" {
		return nil
	}
	if parent != nil {
		if err := json.Unmarshal(text, &head); err != nil {
			return c.fail(b.line, "", "is no Kubernetes object: "+decodeReason(err))
		}
		if said = head.itemOf(parent); said.isList() {
			return c.fail(b.line, said.Kind, "is a list inside a list")
		}
		return c.take(c.yamlFound(b, said))
	}
	if text[0] != '{' {
		return c.fail(b.line, "", "is no Kubernetes object but "+excerpt(b)+": give it what kubectl prints with -o yaml or -o json")
	}
	return c.jsonObject(sameLine(b.line), jsonText{text: text}, nil)
}

func (c *collection) yamlFound(b block, said header) found {
	return found{
		header: said, line: b.line,
		json:   func() ([]byte, error) { return c.toJSON(b.without(said.Kind)) },
		lineOf: func(err *json.UnmarshalTypeError) int { return b.line + b.find(err.Field) },
	}
}

func (c *collection) toJSON(b block) ([]byte, error) {
	text, err := yaml.YAMLToJSONStrict(b.text())
	if err != nil {
		reason, line := yamlError(err)
		return nil, c.fail(b.line+max(min(line, len(b.lines))-1, 0), "", reason)
	}
	return text, nil
}

// excerpt shows the beginning of a text that is something else.
func excerpt(b block) string {
	text := strings.TrimSpace(string(bytes.Join(b.lines[:min(len(b.lines), 3)], []byte(" "))))
	if runes := []rune(text); len(runes) > 60 {
		text = string(runes[:60]) + "…"
	}
	return "\"" + text + "\""
}
