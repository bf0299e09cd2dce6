import Pictures

/// The training pictures of Fashion-MNIST as rows with the names of their classes, for inspections.
struct FashionMNISTRows: PictureRows {
  private let pictures: FashionMNIST
  let path: String

  init(_ data: FashionMNISTData) throws {
    path = data.path ?? FashionMNIST.folder
    pictures = try FashionMNIST(.training, folder: path)
  }

  var content: String { pictures.contentHash }
  var count: Int { pictures.count }
  var problems: DataProblems { DataProblems() }

  func name(_ row: Int) -> String { "\(path), picture \(row)" }

  func texts(_ row: Int) -> [String] { [FashionMNIST.classNames[Int(pictures.classes[row])]] }

  func file(_ row: Int, reference: Int?) -> PictureFile {
    let area = pictures.size * pictures.size
    let picture = Picture(
      width: pictures.size, height: pictures.size, channels: 1,
      values: Array(pictures.pixels[(row * area)..<((row + 1) * area)]))
    return PictureFile(Array(picture.png()), name: name(row))
  }
}
