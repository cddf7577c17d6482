package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	firstTimestamp = int64(1_700_000_000_000)
	anHourMs       = int64(3_600_000)
)

// kept is for records with old timestamps: they stay when the broker looks for expired ones.
func kept() map[string]*string {
	return map[string]*string{"retention.ms": kadm.StringPtr("-1")}
}

type codec struct {
	name        string
	compression kgo.CompressionCodec
}

func codecs(s *session) error {
	all := []codec{
		{"none", kgo.NoCompression()},
		{"gzip", kgo.GzipCompression()},
		{"snappy", kgo.SnappyCompression()},
		{"lz4", kgo.Lz4Compression()},
		{"zstd", kgo.ZstdCompression()},
	}
	for _, codec := range all {
		if err := produceWith(s, codec); err != nil {
			return err
		}
	}
	return nil
}

func produceWith(s *session, codec codec) error {
	topic := s.name("codec-" + codec.name)
	if err := s.createTopic(topic, 1, nil); err != nil {
		return err
	}
	client, err := s.client(
		kgo.ProducerBatchCompression(codec.compression),
		kgo.ProducerLinger(20*time.Millisecond),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	value := func(i int64) string { return strings.Repeat(fmt.Sprintf("value-%d;", i), 40) }
	var batch []*kgo.Record
	for i := range int64(20) {
		batch = append(
			batch,
			&kgo.Record{Topic: topic, Key: []byte(fmt.Sprint("key-", i)), Value: []byte(value(i))},
		)
	}
	var offsets []int64
	for _, result := range client.ProduceSync(s.ctx, batch...) {
		if result.Err != nil {
			return result.Err
		}
		offsets = append(offsets, result.Record.Offset)
	}
	consumed, err := s.readAll(topic, 1)
	intact := true
	for _, record := range consumed {
		intact = intact && string(record.Value) == value(record.Offset)
	}
	emit(
		"codecs/"+codec.name,
		fields{"offsets": offsets, "consumed": len(consumed), "intact": intact},
	)
	return err
}

func records(s *session) error {
	topic := s.name("records")
	if err := s.createTopic(topic, 3, kept()); err != nil {
		return err
	}
	headers := []kgo.RecordHeader{
		{Key: "h", Value: []byte("1")},
		{Key: "empty", Value: []byte{}},
		{Key: "null"},
		{Key: "h", Value: []byte("2")},
	}
	placed := []*kgo.Record{
		{
			Key:       []byte("k1"),
			Value:     []byte("v1"),
			Headers:   headers,
			Timestamp: time.UnixMilli(firstTimestamp),
		},
		{Value: []byte("v2")},
		{Key: []byte("k3")},
		{
			Partition: 1,
			Key:       []byte{},
			Value:     []byte{},
			Timestamp: time.UnixMilli(firstTimestamp + 1000),
		},
		{Partition: 2, Timestamp: time.UnixMilli(1)},
		{Partition: 2, Key: []byte("clé"), Value: []byte("välue ☃")},
	}
	err := produceEach(s, topic, placed, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return err
	}
	var partitioned []*kgo.Record
	for i := range 10 {
		partitioned = append(
			partitioned,
			&kgo.Record{Key: []byte(fmt.Sprint("key-", i)), Value: []byte("partitioned")},
		)
	}
	if err := produceEach(s, topic, partitioned); err != nil {
		return err
	}
	return emitConsumed(s, "records/consumed", topic, 3)
}

func produceEach(s *session, topic string, all []*kgo.Record, options ...kgo.Opt) error {
	client, err := s.client(options...)
	if err != nil {
		return err
	}
	defer client.Close()
	for _, record := range all {
		record.Topic = topic
		if err := client.ProduceSync(s.ctx, record).FirstErr(); err != nil {
			return err
		}
		emit(
			"records/produced",
			fields{"key": text(record.Key), "partition": record.Partition, "offset": record.Offset},
		)
	}
	return nil
}

func timestamps(s *session) error {
	topic := s.name("timestamps")
	configs := map[string]*string{"message.timestamp.type": kadm.StringPtr("LogAppendTime")}
	if err := s.createTopic(topic, 1, configs); err != nil {
		return err
	}
	client, err := s.client()
	if err != nil {
		return err
	}
	defer client.Close()
	record := &kgo.Record{
		Topic:     topic,
		Value:     []byte("v"),
		Timestamp: time.UnixMilli(firstTimestamp),
	}
	if err := client.ProduceSync(s.ctx, record).FirstErr(); err != nil {
		return err
	}
	return emitConsumed(s, "timestamps/consumed", topic, 1)
}

func emitConsumed(s *session, at, topic string, partitions int32) error {
	consumed, err := s.readAll(topic, partitions)
	for _, record := range consumed {
		headers := [][]any{}
		for _, header := range record.Headers {
			headers = append(headers, []any{header.Key, text(header.Value)})
		}
		emit(at, fields{
			"partition":     record.Partition,
			"offset":        record.Offset,
			"key":           text(record.Key),
			"value":         text(record.Value),
			"headers":       headers,
			"timestampType": record.Attrs.TimestampType(),
			"timestamp":     when(record.Timestamp.UnixMilli()),
			"codec":         record.Attrs.CompressionType(),
		})
	}
	return err
}

func when(millis int64) any {
	if distance := time.Now().UnixMilli() - millis; distance < anHourMs && distance > -anHourMs {
		return "now"
	}
	return millis
}

func seek(s *session) error {
	topic := s.name("seek")
	if err := s.createTopic(topic, 1, kept()); err != nil {
		return err
	}
	client, err := s.client()
	if err != nil {
		return err
	}
	defer client.Close()
	for i := range int64(10) {
		at := time.UnixMilli(firstTimestamp + i*1000)
		record := &kgo.Record{Topic: topic, Value: []byte(fmt.Sprint("v", i)), Timestamp: at}
		if err := client.ProduceSync(s.ctx, record).FirstErr(); err != nil {
			return err
		}
	}
	list := func(at string, listed kadm.ListedOffsets, err error) {
		found, _ := listed.Lookup(topic, 0)
		if err == nil {
			err = found.Err
		}
		outcome("seek/"+at, err, []int64{found.Offset, found.Timestamp})
	}
	listed, err := s.admin.ListStartOffsets(s.ctx, topic)
	list("list-earliest", listed, err)
	listed, err = s.admin.ListEndOffsets(s.ctx, topic)
	list("list-latest", listed, err)
	listed, err = s.admin.ListCommittedOffsets(s.ctx, topic)
	list("list-committed", listed, err)
	listed, err = s.admin.ListMaxTimestampOffsets(s.ctx, topic)
	list("list-max-timestamp", listed, err)
	for _, time := range []struct {
		name  string
		after int64
	}{{"before-first", -1}, {"between", 4500}, {"exactly", 5000}, {"after-last", 9001}} {
		listed, err = s.admin.ListOffsetsAfterMilli(s.ctx, firstTimestamp+time.after, topic)
		list(time.name, listed, err)
	}
	emitEndOfEpoch(s, "seek/end-of-epoch", topic)
	emitFrom(s, "seek/from-7", topic, kgo.NewOffset().At(7))
	emitFrom(s, "seek/from-time", topic, kgo.NewOffset().AfterMilli(firstTimestamp+6500))
	emitFrom(s, "seek/last-two", topic, kgo.NewOffset().AtEnd().Relative(-2))
	emitFrom(s, "seek/out-of-range", topic, kgo.NewOffset().At(11))
	return nil
}

// emitEndOfEpoch asks where the topic's present leader epoch ends.
func emitEndOfEpoch(s *session, at, topic string) {
	ends, err := s.admin.ListEndOffsets(s.ctx, topic)
	if err != nil {
		outcome(at, err, nil)
		return
	}
	end, _ := ends.Lookup(topic, 0)
	var request kadm.OffsetForLeaderEpochRequest
	request.Add(topic, 0, end.LeaderEpoch)
	answer, err := s.admin.OffetForLeaderEpoch(s.ctx, request)
	found := answer[topic][0]
	if err == nil {
		err = found.Err
	}
	outcome(at, err, []any{found.EndOffset, found.LeaderEpoch == end.LeaderEpoch})
}

// emitFrom consumes from an offset up to the tenth record, without a reset that would hide an
// error.
func emitFrom(s *session, at, topic string, offset kgo.Offset) {
	partitions := map[string]map[int32]kgo.Offset{topic: {0: offset}}
	client, err := s.client(
		kgo.ConsumePartitions(partitions),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.KeepRetryableFetchErrors(),
	)
	if err != nil {
		outcome(at, err, nil)
		return
	}
	defer client.Close()
	var values []string
	err = until("records", func() (bool, error) {
		fetches := poll(s.ctx, client, 100)
		last := int64(-1)
		fetches.EachRecord(func(record *kgo.Record) {
			values = append(values, string(record.Value))
			last = record.Offset
		})
		return last == 9, fetches.Err()
	})
	outcome(at, err, values)
}

func idempotent(s *session) error {
	topic := s.name("idempotent")
	if err := s.createTopic(topic, 1, nil); err != nil {
		return err
	}
	client, err := s.client(kgo.ProducerBatchMaxBytes(512), kgo.RequiredAcks(kgo.AllISRAcks()))
	if err != nil {
		return err
	}
	defer client.Close()
	var batch []*kgo.Record
	for i := range 200 {
		batch = append(batch, &kgo.Record{Topic: topic, Value: []byte(fmt.Sprint("value-", i))})
	}
	inOrder := true
	for i, result := range client.ProduceSync(s.ctx, batch...) {
		inOrder = inOrder && result.Err == nil && result.Record.Offset == int64(i)
	}
	consumed, err := s.readAll(topic, 1)
	for i, record := range consumed {
		inOrder = inOrder && string(record.Value) == fmt.Sprint("value-", i)
	}
	emit("idempotent/consumed", fields{"records": len(consumed), "inOrder": inOrder})
	return err
}
