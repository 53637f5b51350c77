/**
 * The shapes of the inspector API, under the names that the page uses. They are generated from the
 * server's description: `make api` writes schema.d.ts.
 */
import type { components, operations } from './schema';

type Schemas = components['schemas'];

export type Info = Schemas['Info'];
/** Messages in each second up to and including `at` (unix seconds), oldest first. */
export type Rate = NonNullable<Schemas['Rate']>;
export type Stream = Schemas['Stream'];
export type Kind = Stream['kind'];
export type Facets = Schemas['Facets'];
export type StreamState = keyof Facets['state'];
export type StreamPage = Schemas['StreamList'];
export type TreePage = Schemas['TreeList'];
export type Folder = NonNullable<Schemas['Folder']>;
export type Found = NonNullable<Schemas['Found']>;
export type StreamCounts = Pick<StreamPage, 'matched' | 'total' | 'facets' | 'found'>;
type TreeParameters = NonNullable<operations['listTree']['parameters']['query']>;
export type TreeQuery = Omit<TreeParameters, 'kind' | 'state' | 'open'> & {
  kind?: string;
  state?: string;
  open: readonly string[];
};
type ListQuery = NonNullable<operations['listStreams']['parameters']['query']>;
/** Kind and state come from the address bar: the server says what is wrong with them. */
export type StreamQuery = Omit<ListQuery, 'kind' | 'state'> & { kind?: string; state?: string };
export type ProducerTriple = NonNullable<Schemas['Producer']>;
export type Message = Schemas['Message'];
export type MessagePage = Schemas['MessageList'];
export type FilterProgress = Schemas['FilterProgress'];
export type Backup = NonNullable<Schemas['Backup']>;
export type Lineage = Schemas['Lineage'];
export type StreamStorage = Schemas['StreamStorage'];
export type Kin = Schemas['Kin'];
export type Producer = Schemas['ProducerState'];
export type ProducerPage = Schemas['ProducerList'];
export type ProducerQuery = NonNullable<operations['listProducers']['parameters']['query']>;
export type ActivitySeries = Schemas['ActivitySeries'];
export type Subscription = Schemas['Subscription'];
export type SubscriptionDetail = Schemas['SubscriptionDetail'];
export type SubscriptionList = Schemas['SubscriptionsOutputBody'];
export type Mirror = Schemas['Mirror'];
export type MirroredStream = Schemas['MirroredStream'];
export type MirrorDetail = Schemas['MirrorDetail'];
export type MirrorList = Schemas['MirrorsOutputBody'];
export type NewMirror = Schemas['NewMirror'];
export type RemoteServer = Schemas['RemoteServer'];
export type Fault = Schemas['Fault'];
export type FaultSpec = Schemas['FaultSpec'];
export type FindingList = Schemas['FindingsOutputBody'];
export type DemoState = Schemas['DemoState'];
export type Setting = Schemas['Setting'];
export type SettingsState = Schemas['SettingsState'];
export type Update = Schemas['Update'];
export type CreateRequest = Schemas['CreateInputBody'];
export type AppendRequest = Schemas['AppendInputBody'];
export type AppendResult = Schemas['AppendResult'];
export type Request = Schemas['Request'];
export type RequestDetail = Schemas['RequestDetail'];
export type RequestPage = Schemas['RequestList'];
export type RequestQuery = NonNullable<operations['listRequests']['parameters']['query']>;
export type Process = NonNullable<Schemas['Process']>;
export type LiveReader = Schemas['LiveReader'];
export type ReaderPage = Schemas['ReaderList'];
type ReadersQuery = NonNullable<operations['listReaders']['parameters']['query']>;
/** The mode comes from the address bar. */
export type ReaderQuery = Omit<ReadersQuery, 'mode'> & { mode?: string };
export type LanePage = Schemas['LaneList'];
export type Lane = Schemas['Lane'];
export type MessageOrigin = Schemas['MessageOrigin'];
export type Delivery = Schemas['Delivery'];
export type JournalState = Schemas['Requests'];
export type Snapshot = NonNullable<Schemas['Snapshot']>;
export type SnapshotTask = Schemas['SnapshotTask'];
export type FoundFile = Schemas['FoundFile'];
export type Job = Schemas['Job'];
export type Target = Schemas['Target'];
export type TargetTest = Schemas['TargetTest'];
export type Compaction = Schemas['Compaction'];
export type Export = Schemas['Export'];
export type ExportRequest = Schemas['ExportInputBody'];
export type ImportResult = Schemas['ImportResult'];
export type Stats = Schemas['Stats'];
export type Tail = Schemas['Tail'];
export type StreamChanges = Schemas['Changes'];
export type LiveEvent = Schemas['Hello'] | Stats | StreamChanges | JournalState | Tail;

export interface Body {
  bytes: Uint8Array<ArrayBuffer>;
  /** Size of the whole message; larger than `bytes` when it was capped. */
  size: number;
}
