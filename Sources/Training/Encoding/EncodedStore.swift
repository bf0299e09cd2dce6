import Files
import Foundation
import Processes
import Tensors
import Weights

/// What one encoder has made of pictures or of texts, on disk: a folder of shards that are found by what
/// the encoder and its settings are, with a manifest that tells them.
///
/// A shard is written atomically and named by its content. Several runs can therefore read and write the
/// same folder at the same time, and what is half written or damaged is not taken for an entry.
final class EncodedStore {
  /// The place of an entry.
  struct Place: Hashable, Sendable {
    fileprivate static let unwritten = Place(shard: .max, entry: .max)

    /// The number of the shard.
    let shard: UInt32
    /// The number of the entry in it.
    let entry: UInt32
  }

  /// What is encoded.
  enum Kind: String {
    /// Pictures, to latents.
    case pictures
    /// Texts, to features.
    case texts
    /// Masks of pictures, to one number for each latent.
    case masks
  }

  /// The folder of the shards.
  let path: String
  /// The shards that can be read.
  private(set) var shards: [EncodedShard] = []
  /// The entries that were made in addition to those that were there.
  private(set) var made = 0

  private let manifest: EncodingManifest
  private let group: ProcessGroup?
  private let notice: (String) -> Void
  /// The places of all entries; `unwritten` for those that are yet to be written.
  private var places: [EncodingKey: Place] = [:]
  private var pending: [TensorType: EncodedShard.Content] = [:]
  private var lastWritten = ContinuousClock.now

  /// The bytes of a shard.
  static let shardBytes = 128 << 20
  /// The time after which a smaller one is written.
  static let patience = Duration.seconds(120)

  private var isFirst: Bool { (group?.rank ?? 0) == 0 }

  /// Opens the folder of an encoder in a cache; it need not be there.
  ///
  /// - Parameters:
  ///   - content: what the entries depend on besides the pictures or texts.
  ///   - encoders: where the encoder is, for readers of the manifest.
  ///   - group: the processes of the run, which have the same cache.
  ///   - isPlan: whether damaged files stay.
  ///   - check: called before each shard is read; an error that it throws ends the opening.
  ///   - notice: called with sentences for the user.
  /// - Throws: `FileError.unreadable`.
  init(
    _ kind: Kind, in cache: String, content: [String: String], encoders: String,
    group: ProcessGroup?, isPlan: Bool = false, checking check: () throws -> Void = {},
    notice: @escaping (String) -> Void = { _ in }
  ) throws {
    manifest = EncodingManifest(kind: kind.rawValue, content: content, encoders: encoders)
    path = "\(cache)/\(manifest.folder)"
    (self.group, self.notice) = (group, notice)
    var names: [String]?
    if isFirst {
      for name in Self.names(in: path) {
        try check()
        if let shard = try whole(name, isPlan: isPlan) { add(shard) }
      }
      if shards.isEmpty, let other = manifest.others(in: cache) { notice(other) }
      names = shards.map(\.name)
    }
    try share(names, "at the start")
  }

  private static func names(in folder: String) -> [String] {
    ((try? namesInFolder(folder)) ?? []).filter(EncodedShard.isName)
  }

  /// A shard that is as it was written; nil for another, which is deleted.
  private func whole(_ name: String, isPlan: Bool) throws -> EncodedShard? {
    do {
      let shard = try EncodedShard(name, in: path)
      try shard.checkContent()
      return shard
    } catch WeightsError.damaged(_, let reason) {
      guard !isPlan else { return nil }
      notice("\(path)/\(name) is damaged (\(reason)): what it held is encoded again.")
      unlink("\(path)/\(name)")
      return nil
    }
  }

  /// Opens the shards that the first process has opened, in its other processes.
  private func share(_ names: [String]?, _ moment: String) throws {
    guard group != nil else { return }
    let key = "encoded \(manifest.kind) \(moment)"
    let text = try RunCheckpoints.shared(names.map(JSONFile.text), key, by: group)
    guard !isFirst else { return }
    (shards, places) = ([], places.mapValues { _ in .unwritten })
    for name in try JSONDecoder().decode([String].self, from: Data(text.utf8)) {
      add(try EncodedShard(name, in: path))
    }
  }

  private func add(_ shard: EncodedShard) {
    let number = UInt32(shards.count)
    shards.append(shard)
    for entry in 0..<shard.count {
      let (key, place) = (shard.key(entry), Place(shard: number, entry: UInt32(entry)))
      // Runs that encode at the same time may both have written an entry.
      if places[key] ?? .unwritten == .unwritten { places[key] = place }
    }
  }

  /// Whether an entry is there, or was announced.
  func contains(_ key: EncodingKey) -> Bool { places[key] != nil }

  /// Announces an entry that is going to be added.
  ///
  /// - Returns: false where it is there, or was announced before.
  func announce(_ key: EncodingKey) -> Bool {
    guard places[key] == nil else { return false }
    places[key] = .unwritten
    return true
  }

  /// Adds an announced entry.
  ///
  /// - Parameters:
  ///   - bytes: the bytes of its rows.
  ///   - row: the type of a row.
  /// - Throws: `FileError.unwritable`, as on a full disk.
  func add(_ key: EncodingKey, _ bytes: some Collection<UInt8>, row: TensorType) throws {
    precondition(places[key] == .unwritten, "an entry is announced, and added once")
    made += 1
    guard isFirst else { return }
    pending[row, default: EncodedShard.Content(row: row)].add(key, bytes)
    let isDue = ContinuousClock.now - lastWritten > Self.patience
    if isDue || pending[row]!.byteCount >= Self.shardBytes { try write() }
  }

  /// Writes what was added.
  ///
  /// - Throws: `FileError.unwritable`; the entries that were not written are lost.
  func write() throws {
    lastWritten = .now
    let contents = pending.values.sorted { $0.row.description < $1.row.description }
    pending = [:]
    for content in contents where content.byteCount > 0 {
      do {
        try FileManager.default.createDirectory(
          atPath: path, withIntermediateDirectories: true)
      } catch {
        throw FileError.unwritable(path: path, reason: error.localizedDescription)
      }
      try manifest.write(in: path)
      add(try EncodedShard(content.write(to: path), in: path))
    }
  }

  /// Writes what was added; then all entries can be found, in all processes.
  ///
  /// - Throws: `FileError.unwritable`.
  func finish() throws {
    try write()
    try share(isFirst ? shards.map(\.name) : nil, "at the end")
  }

  /// The place of an entry, after `finish`.
  func place(of key: EncodingKey) -> Place {
    guard let place = places[key], place != .unwritten else {
      preconditionFailure("an entry is encoded before it is read")
    }
    return place
  }

  /// The entries, those of other runs too.
  var count: Int { shards.reduce(0) { $0 + $1.count } }

  /// Their bytes on disk.
  var byteCount: Int { shards.reduce(0) { $0 + $1.byteCount } }
}
