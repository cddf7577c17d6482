package main

import (
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func groupAdmin(s *session) error {
	group, topic, other := s.name("group-admin"), s.name("group-admin"), s.name("group-other")
	for _, name := range []string{topic, other} {
		if err := s.createTopic(name, 1, nil); err != nil {
			return err
		}
	}
	if err := s.produceNumbered(topic, 1, 0, 5); err != nil {
		return err
	}
	member, err := s.member(
		group,
		topic,
		kgo.ClientID("member"),
		kgo.Balancers(kgo.RangeBalancer()),
	)
	if err != nil {
		return err
	}
	defer member.close()
	err = pollUntil(s.ctx, "the records", func() bool {
		return len(member.values) == 5
	}, member)
	if err != nil {
		return err
	}
	if err := member.client.CommitUncommittedOffsets(s.ctx); err != nil {
		return err
	}
	emitGroup(s, "with-member")
	emitOffsets(s, "group-admin/offsets")
	deleteOffsets(s, "group-admin/delete-offsets-of-subscribed", topic)
	alterOffset(s, "group-admin/alter-offsets-with-member", topic)
	deleteGroup(s, "group-admin/delete-with-member")
	member.close()
	emitGroup(s, "empty")
	alterOffset(s, "group-admin/alter-offsets", topic)
	alterOffset(s, "group-admin/alter-offsets-of-other", other)
	emitOffsets(s, "group-admin/offsets-altered")
	deleteOffsets(s, "group-admin/delete-offsets", other)
	emitOffsets(s, "group-admin/offsets-deleted")
	deleteGroup(s, "group-admin/delete")
	deleteGroup(s, "group-admin/delete-again")
	deleteOffsets(s, "group-admin/delete-offsets-of-unknown", topic)
	emitGroup(s, "deleted")
	return nil
}

func emitGroup(s *session, when string) {
	group := s.name("group-admin")
	listed, err := s.admin.ListGroups(s.ctx)
	entry, found := listed[group]
	outcome("group-admin/list-"+when, err, []any{found, entry.ProtocolType, entry.State})
	described, err := s.admin.DescribeGroups(s.ctx, group)
	if err == nil {
		err = described[group].Err
	}
	detail := described[group]
	members := [][]any{}
	for _, member := range detail.Members {
		consumer, _ := member.Assigned.AsConsumer()
		assigned := 0
		if consumer != nil {
			for _, topic := range consumer.Topics {
				assigned += len(topic.Partitions)
			}
		}
		members = append(members, []any{member.ClientID, member.ClientHost, assigned})
	}
	outcome("group-admin/describe-"+when, err, fields{
		"state":        detail.State,
		"protocolType": detail.ProtocolType,
		"assignor":     detail.Protocol,
		"members":      members,
	})
}

func emitOffsets(s *session, at string) {
	fetched, err := s.admin.FetchOffsets(s.ctx, s.name("group-admin"))
	offsets := [][]any{}
	for _, offset := range fetched.Sorted() {
		metadata := offset.Metadata
		if strings.HasPrefix(metadata, "member-") {
			metadata = "(the member's id)"
		}
		offsets = append(
			offsets,
			[]any{offset.Topic, offset.Partition, offset.At, metadata, errorName(offset.Err)},
		)
	}
	outcome(at, err, offsets)
}

func alterOffset(s *session, at, topic string) {
	offsets := kadm.Offsets{}
	offsets.Add(
		kadm.Offset{Topic: topic, Partition: 0, At: 1, LeaderEpoch: -1, Metadata: "altered"},
	)
	committed, err := s.admin.CommitOffsets(s.ctx, s.name("group-admin"), offsets)
	if err == nil {
		err = committed.Error()
	}
	outcome(at, err, nil)
}

func deleteOffsets(s *session, at, topic string) {
	partitions := kadm.TopicsSet{}
	partitions.Add(topic, 0)
	deleted, err := s.admin.DeleteOffsets(s.ctx, s.name("group-admin"), partitions)
	if err == nil {
		err = deleted.Error()
	}
	outcome(at, err, nil)
}

func deleteGroup(s *session, at string) {
	_, err := s.admin.DeleteGroup(s.ctx, s.name("group-admin"))
	outcome(at, err, nil)
}
