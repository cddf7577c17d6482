/** Bounds of clusters in the control plane. */
import { clusterBrokersMax } from "@millrace/core";

/** Clusters of one deployment. */
export const clustersMax = 200;
/** Brokers of one cluster: as many as its certificate names. */
export const brokersMax: number = clusterBrokersMax;
/** A name is a DNS label, which is short enough for whatever is named after it. */
export const clusterNameCharactersMax = 63;
/** Items of one page of a list. */
export const pageItemsMax = 100;
/** How long a deleted cluster is remembered. */
export const tombstoneMs: number = 30 * 86_400_000;
/** When so little is left of the brokers' certificate, they get a new one. */
export const certificateLeftMsMin: number = 30 * 86_400_000;
/** How long a certificate of brokers is valid, and one of a cluster's authority. */
export const certificateMs: number = 397 * 86_400_000;
export const authorityMs: number = 3_650 * 86_400_000;
