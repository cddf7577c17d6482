package main

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// deleteRecords deletes the head of a log, and looks at what is left.
func deleteRecords(s *session) error {
	topic := s.name("delete-records")
	if err := s.createTopic(topic, 2, kept()); err != nil {
		return err
	}
	if err := s.produceNumbered(topic, 1, 0, 10); err != nil {
		return err
	}
	remove := func(at, of string, partition int32, offset int64) {
		offsets := make(kadm.Offsets)
		offsets.AddOffset(of, partition, offset, -1)
		deleted, err := s.admin.DeleteRecords(s.ctx, offsets)
		found, _ := deleted.Lookup(of, partition)
		if err == nil {
			err = found.Err
		}
		outcome("delete-records/"+at, err, found.LowWatermark)
	}
	remove("before-4", topic, 0, 4)
	remove("before-2-again", topic, 0, 2)
	remove("past-the-end", topic, 0, 11)
	remove("below-minus-one", topic, 0, -2)
	emitEnds(s, "offsets", topic)
	emitEndOfEpoch(s, "delete-records/end-of-epoch", topic)
	emitFrom(s, "delete-records/from-4", topic, kgo.NewOffset().At(4))
	emitFrom(s, "delete-records/from-3", topic, kgo.NewOffset().At(3))
	remove("all", topic, 0, -1)
	remove("all-of-an-empty-one", topic, 1, -1)
	emitEnds(s, "offsets-of-nothing", topic)
	emitEndOfEpoch(s, "delete-records/end-of-epoch-of-nothing", topic)
	if err := s.produceNumbered(topic, 1, 10, 12); err != nil {
		return err
	}
	emitEnds(s, "offsets-after-producing", topic)
	compacted := s.name("delete-records-compacted")
	configs := map[string]*string{"cleanup.policy": kadm.StringPtr("compact")}
	if err := s.createTopic(compacted, 1, configs); err != nil {
		return err
	}
	remove("compacted", compacted, 0, 0)
	return nil
}

// emitEnds shows where the first partition begins and ends.
func emitEnds(s *session, at, topic string) {
	start, err := s.admin.ListStartOffsets(s.ctx, topic)
	if err != nil {
		outcome("delete-records/"+at, err, nil)
		return
	}
	end, err := s.admin.ListEndOffsets(s.ctx, topic)
	first, _ := start.Lookup(topic, 0)
	last, _ := end.Lookup(topic, 0)
	outcome("delete-records/"+at, err, fmt.Sprint(first.Offset, " to ", last.Offset))
}
