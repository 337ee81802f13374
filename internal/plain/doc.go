// Package plain makes text that strangers have chosen (names, labels, annotations,
// messages of others) fit for a terminal, a log or a status: readable, and without
// power over what shows it.
//
// Pure. It must not know what the text is about, and judges nothing by it.
package plain
