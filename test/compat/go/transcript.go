package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const waitMax = 20 * time.Second

type fields map[string]any

// emit prints one line of the transcript.
func emit(at string, line fields) {
	line["at"] = at
	encoded, err := json.Marshal(line)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(encoded))
}

// errorName is the name in Kafka's table of errors, or the words of an error that the client itself
// raised.
func errorName(err error) string {
	var kafkaError *kerr.Error
	switch {
	case err == nil:
		return "NONE"
	case errors.As(err, &kafkaError):
		return kafkaError.Message
	default:
		return err.Error()
	}
}

// outcome emits what a call answered: NONE and its result, or the name of what it refused with.
func outcome(at string, err error, result any) {
	line := fields{"error": errorName(err)}
	if err == nil && result != nil {
		line["result"] = result
	}
	emit(at, line)
}

// until tries again until the condition holds; fails after 20 s.
func until(what string, condition func() (bool, error)) error {
	deadline := time.Now().Add(waitMax)
	for {
		holds, err := condition()
		if holds || err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("waited too long for %s", what)
		}
	}
}

// poll returns what comes within a short time; having nothing in that time is no error.
func poll(ctx context.Context, client *kgo.Client, most int) kgo.Fetches {
	short, cancel := context.WithTimeout(ctx, 30*time.Millisecond)
	defer cancel()
	fetches := client.PollRecords(short, most)
	if errors.Is(fetches.Err0(), context.DeadlineExceeded) {
		return nil
	}
	return fetches
}

// text is what JSON shows for bytes: null stays apart from empty.
func text(bytes []byte) any {
	if bytes == nil {
		return nil
	}
	return string(bytes)
}
