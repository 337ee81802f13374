package controller

import (
	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/plain"
)

const (
	// maxNote is the most bytes that the note of an event may have.
	maxNote = 1024
	// maxMessage is the most bytes of a message in the status: the API takes 32,768,
	// a person fewer. Names that strangers have chosen may be long, and many.
	maxMessage = 8192
)

// toNote makes text the note of an event: names and values of others may be in it.
func toNote(text string) string { return plain.Cut(plain.Line(text), maxNote) }

// toMessage makes text a message in the status.
func toMessage(text string) string { return plain.Cut(plain.Text(text), maxMessage) }

// tidy makes the texts of a status fit to be shown.
func tidy(status *v1alpha1.RouteReflectorAutoscalerStatus) {
	for i := range status.Conditions {
		status.Conditions[i].Message = toMessage(status.Conditions[i].Message)
	}
	status.NextStep = toMessage(status.NextStep)
}
