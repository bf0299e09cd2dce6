import Files
import Foundation
import PJRT

/// Where models are found by name.
public struct ModelLibrary: Sendable {
  /// The folders whose subfolders are models, in the order of the search.
  let folders: [String]
  /// The caches of Hugging Face's hub, whose folders are called `models--OWNER--NAME`.
  let hubs: [String]
  private let shared: SharedFiles

  /// The models that a script of this program fetches, and the script.
  private static let fetched = [
    "all-MiniLM-L6-v2": "scripts/fetch-minilm", "efficientnet-lite0": "scripts/fetch-efficientnet",
    TextReading.fetched: "scripts/fetch-ocr",
  ]

  /// The library of an environment: folders in `TWINFLOW_MODELS`, separated by colons, the folder
  /// `models` of the program's cache, the models that come with the program, and the hub's cache in
  /// `HF_HUB_CACHE`, `HF_HOME` or the home folder.
  public init(
    environment: [String: String] = ProcessInfo.processInfo.environment,
    shared: SharedFiles = .standard
  ) {
    self.shared = shared
    let named = (environment["TWINFLOW_MODELS"] ?? "").split(separator: ":")
    folders =
      named.map { expandedPath(String($0)) }
      + [cacheDirectory(environment: environment) + "/models"]
      + shared.folders.map { "\($0)/Assets" }
    let hub =
      environment["HF_HUB_CACHE"] ?? environment["HF_HOME"].map { "\($0)/hub" }
      ?? expandedPath("~/.cache/huggingface/hub")
    hubs = [hub]
  }

  /// The path of a model: the name itself where it is a path, a subfolder of one of the folders, or
  /// the snapshot of its main branch in the hub's cache, or where none is marked so the last by name.
  ///
  /// - Throws: `FileError.notFound` for a name in `Assets/` that did not come with the program;
  ///   `PipelineError.unknownModel` with the places that were searched, and the nearest name
  ///   there; `notFetched` for a model that a script of this program fetches.
  public func path(of name: String) throws -> String {
    let manager = FileManager.default
    if manager.fileExists(atPath: name) { return name }
    if name.hasPrefix("Assets/") { return try shared.path(name) }
    for folder in folders where manager.fileExists(atPath: "\(folder)/\(name)") {
      return "\(folder)/\(name)"
    }
    for hub in hubs {
      if let snapshot = snapshot(of: name, in: hub) { return snapshot }
    }
    if let script = Self.fetched[(name as NSString).lastPathComponent] {
      throw PipelineError.notFetched(name, places: folders + hubs, script: script)
    }
    let known =
      folders.flatMap { (try? manager.contentsOfDirectory(atPath: $0)) ?? [] }
      + hubs.flatMap { hub in hubNames(hub).map { $0.split(separator: "/").last.map(String.init)! }
      }
    throw PipelineError.unknownModel(
      name, places: folders + hubs, nearest: nearestName(to: name, among: known))
  }

  /// The models in a hub's cache, as `OWNER/NAME`.
  private func hubNames(_ hub: String) -> [String] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: hub)) ?? []
    return names.filter { $0.hasPrefix("models--") }.map {
      $0.dropFirst("models--".count).replacingOccurrences(of: "--", with: "/")
    }.sorted()
  }

  private func snapshot(of name: String, in hub: String) -> String? {
    let manager = FileManager.default
    let matches = hubNames(hub).filter { $0 == name || $0.hasSuffix("/\(name)") }
    guard let match = matches.first, matches.count == 1 || match == name else { return nil }
    let folder = "\(hub)/models--\(match.replacingOccurrences(of: "/", with: "--"))"
    let main = manager.contents(atPath: "\(folder)/refs/main")
      .map { String(decoding: $0, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines) }
    let all = (try? manager.contentsOfDirectory(atPath: "\(folder)/snapshots"))?.sorted() ?? []
    guard let chosen = main.flatMap({ all.contains($0) ? $0 : nil }) ?? all.last else { return nil }
    return "\(folder)/snapshots/\(chosen)"
  }
}
