package dump

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// jsonText is JSON at some place of the file.
type jsonText struct {
	text []byte
	// offset of the text in the file.
	offset int
}

// readJSON reads objects one after another; of lists, one item at a time.
func (c *collection) readJSON(text []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	lines := &lineIndex{text: text}
	for {
		var raw json.RawMessage
		err := decoder.Decode(&raw)
		end := int(decoder.InputOffset())
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return c.jsonError(lines, end, err)
		}
		if err := c.jsonObject(lines, jsonText{text: text[end-len(raw) : end], offset: end - len(raw)}, nil); err != nil {
			return err
		}
	}
}

func (c *collection) jsonError(lines *lineIndex, at int, err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return c.fail(lines.of(len(lines.text)), "", "ends in the middle of an object: the file is cut off")
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		at = int(syntax.Offset)
	}
	return c.fail(lines.of(at), "", fmt.Sprintf("is not valid JSON: %v", err))
}

// jsonObject reads one object or list; parent is the list that it is an item of.
func (c *collection) jsonObject(lines *lineIndex, object jsonText, parent *header) error {
	var head struct {
		header
		Items json.RawMessage `json:"items"`
	}
	line := lines.of(object.offset)
	if err := json.Unmarshal(object.text, &head); err != nil {
		return c.fail(line, "", "is no Kubernetes object: "+decodeReason(err))
	}
	said := head.itemOf(parent)
	if said.isList() {
		switch {
		case parent != nil:
			return c.fail(line, said.Kind, "is a list inside a list")
		case head.Items == nil || string(head.Items) == "null":
			c.emptyList(said)
			return nil
		}
		return c.jsonItems(lines, object, said)
	}
	return c.take(found{
		header: said, line: line,
		json: func() ([]byte, error) { return object.text, nil },
		lineOf: func(err *json.UnmarshalTypeError) int {
			return lines.of(object.offset + int(err.Offset) - 1)
		},
	})
}

// jsonItems walks over the items of a list.
func (c *collection) jsonItems(lines *lineIndex, list jsonText, kind header) error {
	decoder := json.NewDecoder(bytes.NewReader(list.text))
	if err := seekItems(decoder); err != nil {
		return c.fail(lines.of(list.offset+int(decoder.InputOffset())), kind.Kind, err.Error())
	}
	count := 0
	for decoder.More() {
		var raw json.RawMessage
		if err := decoder.Decode(&raw); err != nil {
			return c.jsonError(lines, list.offset+int(decoder.InputOffset()), err)
		}
		end := int(decoder.InputOffset())
		item := jsonText{text: list.text[end-len(raw) : end], offset: list.offset + end - len(raw)}
		if err := c.jsonObject(lines, item, &kind); err != nil {
			return err
		}
		count++
	}
	if count == 0 {
		c.emptyList(kind)
	}
	return nil
}

// seekItems reads up to the first item of the list.
func seekItems(decoder *json.Decoder) error {
	if _, err := decoder.Token(); err != nil {
		return err
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return err
		}
		if name != "items" {
			var skipped json.RawMessage
			if err := decoder.Decode(&skipped); err != nil {
				return err
			}
			continue
		}
		if open, err := decoder.Token(); err != nil || open != json.Delim('[') {
			return errors.New("items is no list")
		}
		return nil
	}
	return errors.New("has no items")
}
