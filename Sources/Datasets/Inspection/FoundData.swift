import Files
import Foundation

/// Data sets by what a path holds.
public enum FoundData {
  /// The data set at a path: Parquet and tar files by their endings, or a folder of them; tables and lists of
  /// prompts by their endings; a folder with a table `metadata`, as Hugging Face's have, or with the IDX
  /// files of Fashion-MNIST; any other folder as one of pictures.
  ///
  /// - Throws: `DatasetError.missing`, and `inconsistent` for other files.
  public static func at(_ path: String) throws -> any DataSet {
    func set<Data: PictureDataSet>(_: Data.Type, _ path: String) -> any DataSet {
      var data = Data.defaults
      data.path = path
      return data
    }
    var isFolder: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
    guard exists || path.contains("{") else { throw DatasetError.missing(path: path, package: nil) }
    let names = isFolder.boolValue ? try namesInFolder(path) : [path]
    let isKind = { (endings: [String]) in
      names.contains { name in endings.contains { name.lowercased().hasSuffix($0) } }
    }
    if isKind([".parquet"]) { return set(ParquetData.self, path) }
    if isKind(TarRows.endings) { return set(WebDatasetData.self, path) }
    if isFolder.boolValue {
      if isKind(["-idx3-ubyte.gz"]) { return FashionMNISTData(path: path) }
      let table = names.first { ["metadata.jsonl", "metadata.csv"].contains($0) }
      return table.map { set(ManifestData.self, "\(path)/\($0)") } ?? set(ImageData.self, path)
    }
    if isKind([".jsonl", ".ndjson", ".json", ".csv", ".tsv"]) {
      return set(ManifestData.self, path)
    }
    if isKind([".txt"]) {
      var prompts = PromptData.defaults
      prompts.file = path
      return prompts
    }
    throw DatasetError.inconsistent(
      path: path,
      reason: "it is neither a folder nor a .jsonl, .csv, .tsv, .tar, .parquet or .txt file")
  }
}
