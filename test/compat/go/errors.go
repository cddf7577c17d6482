package main

import (
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func errorCases(s *session) error {
	emitFrom(s, "errors/consume-unknown-topic", s.name("nowhere"), kgo.NewOffset().AtStart())
	unknown := kadm.Offsets{}
	unknown.AddOffset(s.name("nowhere"), 0, 1, -1)
	committed, err := s.admin.CommitOffsets(s.ctx, s.name("errors"), unknown)
	if err == nil {
		err = committed.Error()
	}
	outcome("errors/commit-to-unknown-topic", err, nil)
	client, err := s.client(
		kgo.AllowAutoTopicCreation(),
		kgo.ProducerBatchMaxBytes(2_000_000),
		kgo.UnknownTopicRetries(20),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	send := func(at, topic string, value []byte) {
		record := &kgo.Record{Topic: topic, Value: value}
		err := client.ProduceSync(s.ctx, record).FirstErr()
		outcome("errors/"+at, err, record.Offset)
	}
	send("produce-unknown-topic-is-created", s.name("created"), []byte("v"))
	emitDescription(s, "errors/created", s.name("created"))
	send("produce-invalid-topic", s.name("bad name!"), []byte("v"))
	small := map[string]*string{"max.message.bytes": kadm.StringPtr("1000")}
	err = s.createTopic(s.name("small"), 1, small)
	if err != nil {
		return err
	}
	random := make([]byte, 1_500_000)
	for i := range random {
		random[i] = byte((i * i) >> 3 * 31)
	}
	send("produce-oversized", s.name("small"), random[:1001])
	send("produce-fitting", s.name("small"), random[:500])
	keyed := map[string]*string{"cleanup.policy": kadm.StringPtr("compact")}
	if err := s.createTopic(s.name("keyed"), 1, keyed); err != nil {
		return err
	}
	send("produce-without-key-to-compacted", s.name("keyed"), []byte("v"))
	return produceWithoutAcks(s)
}

func produceWithoutAcks(s *session) error {
	client, err := s.client(kgo.RequiredAcks(kgo.NoAck()), kgo.DisableIdempotentWrite())
	if err != nil {
		return err
	}
	defer client.Close()
	record := &kgo.Record{Topic: s.name("small"), Value: []byte("unacknowledged")}
	err = client.ProduceSync(s.ctx, record).
		FirstErr()
	outcome("errors/produce-acks-0", err, nil)
	return emitConsumed(s, "errors/consumed", s.name("created"), 1)
}
