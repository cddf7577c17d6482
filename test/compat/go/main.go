// Command go runs franz-go against a broker: it prints the transcript that test/compat/scenarios.md
// describes.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

type scenario struct {
	name string
	run  func(*session) error
}

func scenarios() []scenario {
	all := []scenario{
		{"cluster", cluster},
		{"topics", topics},
		{"configs", configs},
		{"codecs", codecs},
		{"records", records},
		{"timestamps", timestamps},
		{"seek", seek},
		{"delete-records", deleteRecords},
		{"idempotent", idempotent},
	}
	for _, assignor := range assignors() {
		all = append(all, scenario{"group-" + assignor.ProtocolName(), func(s *session) error {
			return handover(s, assignor)
		}})
	}
	return append(
		all,
		scenario{"static", staticMembers},
		scenario{"group-admin", groupAdmin},
		scenario{"errors", errorCases},
	)
}

func main() {
	s := &session{bootstrap: os.Args[1], prefix: os.Args[2], ctx: context.Background()}
	client, err := s.client()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer client.Close()
	s.admin = kadm.NewClient(client)
	failed := false
	for _, scenario := range scenarios() {
		startedAt := time.Now()
		if err := scenario.run(s); err != nil {
			failed = true
			emit(scenario.name+"/failed", fields{})
			fmt.Fprintln(os.Stderr, scenario.name, err)
		}
		fmt.Fprintf(os.Stderr, "%s: %d ms\n", scenario.name, time.Since(startedAt).Milliseconds())
	}
	if failed {
		os.Exit(1)
	}
}

// session is where the broker is, and the clients that every scenario makes.
type session struct {
	bootstrap string
	prefix    string
	ctx       context.Context
	admin     *kadm.Client
}

func (s *session) name(suffix string) string { return s.prefix + suffix }

func (s *session) client(options ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(s.bootstrap),
		kgo.FetchMaxWait(100 * time.Millisecond),
		kgo.RecordRetries(20),
		kgo.MetadataMinAge(100 * time.Millisecond),
	}, options...)...)
}

func (s *session) createTopic(topic string, partitions int32, configs map[string]*string) error {
	if _, err := s.admin.CreateTopic(s.ctx, partitions, 1, configs, topic); err != nil {
		return err
	}
	return until("the leaders of "+topic, func() (bool, error) {
		// Kafka answers before its brokers have heard of the topic.
		listed, err := s.admin.ListTopics(s.ctx, topic)
		led := 0
		for _, partition := range listed[topic].Partitions {
			if partition.Leader >= 0 {
				led++
			}
		}
		return led == int(partitions), err
	})
}

// letSpread waits after a change until Kafka's broker surely has it too: its controller answers
// first.
func letSpread() { time.Sleep(200 * time.Millisecond) }

// produceNumbered sends the values from .. to-1, spread over the partitions in turn.
func (s *session) produceNumbered(topic string, partitions, from, to int) error {
	client, err := s.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return err
	}
	defer client.Close()
	var batch []*kgo.Record
	for i := from; i < to; i++ {
		batch = append(
			batch,
			&kgo.Record{
				Topic:     topic,
				Partition: int32(i % partitions),
				Value:     []byte(fmt.Sprint(i)),
			},
		)
	}
	return client.ProduceSync(s.ctx, batch...).FirstErr()
}

// readAll reads the partitions of one topic from the beginning to their ends, in order.
func (s *session) readAll(topic string, partitions int32) ([]*kgo.Record, error) {
	ends, err := s.admin.ListEndOffsets(s.ctx, topic)
	if err != nil {
		return nil, err
	}
	offsets := map[int32]kgo.Offset{}
	missing := int64(0)
	for partition := int32(0); partition < partitions; partition++ {
		end, _ := ends.Lookup(topic, partition)
		missing += end.Offset
		offsets[partition] = kgo.NewOffset().AtStart()
	}
	client, err := s.client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: offsets}))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	byPartition := make([][]*kgo.Record, partitions)
	err = until("the end of "+topic, func() (bool, error) {
		fetches := poll(s.ctx, client, 100)
		fetches.EachRecord(func(record *kgo.Record) {
			byPartition[record.Partition] = append(byPartition[record.Partition], record)
			missing--
		})
		return missing <= 0, fetches.Err0()
	})
	var all []*kgo.Record
	for _, some := range byPartition {
		all = append(all, some...)
	}
	return all, err
}
