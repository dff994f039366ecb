"""Every text of the page, in English and Chinese."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Text:
    """The page in one language. {…} are filled in by the handlers."""

    language: str
    other_name: str
    other_link: str
    title: str
    subtitle: str
    privacy: str
    theme: str
    photo_tab: str
    video_tab: str
    several_tab: str
    your_photo: str
    examples: str
    style: str
    more: str
    strength: str
    strength_info: str
    keep_color: str
    keep_color_info: str
    faces: str
    faces_info: str
    faces_auto: str
    faces_off: str
    faces_v1: str
    faces_v2: str
    lines: str
    lines_info: str
    lines_fine: str
    lines_medium: str
    lines_broad: str
    submit: str
    all_styles: str
    result: str
    sheet: str
    download: str
    done: str
    photos: str
    folder: str
    paint_all: str
    cancel: str
    cancelled: str
    zip: str
    previews: str
    count: str
    your_video: str
    stills: str
    stills_button: str
    paint_video: str
    video_result: str
    time_left: str
    no_photo: str
    no_photos: str
    no_video: str
    not_a_picture: str
    too_many_pixels: str
    too_many_bytes: str
    too_many_photos: str
    busy: str
    too_slow: str
    too_often: str
    stopping: str
    out_of_memory: str
    disk_full: str
    empty_file: str
    damaged: str
    not_a_video: str
    wrong_kind: str
    not_playable: str
    no_answer: str
    notice: str
    failed: str
    portrait_v1: str
    portrait_v2: str


ENGLISH = Text(
    language="en",
    other_name="中文",
    other_link="zh/",
    title="photo2anime",
    subtitle="Your photo as anime, in about two seconds.",
    privacy="Everything happens on this server: nothing is sent elsewhere. Photos and results are deleted after an "
    "hour, and when the server stops.",
    theme="Dark or light",
    photo_tab="Photo",
    video_tab="Video",
    several_tab="Several photos",
    your_photo="Your photo",
    examples="Or try one of these",
    style="Style",
    more="More",
    strength="Strength",
    strength_info="1 is the full style, 0 the photo",
    keep_color="Keep the photo's colours",
    keep_color_info="Only the drawing changes",
    faces="Faces",
    faces_info="Painted by the portrait styles",
    faces_auto="automatic",
    faces_off="like the rest",
    faces_v1="version 1 (▲ stylization, ▼ robustness)",
    faces_v2="version 2 (▲ robustness, ▼ stylization)",
    lines="Lines",
    lines_info="How thick they are in the picture",
    lines_fine="fine",
    lines_medium="medium",
    lines_broad="broad",
    submit="Submit",
    all_styles="Compare all styles",
    result="Before | after",
    sheet="Choose a style by a click",
    download="Download",
    done="{width} × {height} pixels, {seconds:.1f} s",
    photos="Your photos",
    folder="Choose a folder",
    paint_all="Paint all",
    cancel="Cancel",
    cancelled="Cancelled.",
    zip="Download all (ZIP)",
    previews="Results",
    count="{done} of {total} photos painted.",
    your_video="Your video",
    stills="How it will look",
    stills_button="Preview stills",
    paint_video="Paint the video",
    video_result="Result",
    time_left="{done} of {total} frames, {left} left",
    no_photo="First choose a photo: click the box on the left, drop a file on it, or paste one.",
    no_photos="First choose some photos.",
    no_video="First choose a video.",
    not_a_picture="This file is not a picture we can read. Give a JPEG, PNG, WebP, AVIF, HEIC, TIFF, BMP or GIF.",
    too_many_pixels="This photo has too many pixels: the limit is {limit:g} megapixels. Give a smaller one.",
    too_many_bytes="This file is too large: the limit is {limit:g} MB. Give a smaller one.",
    too_many_photos="Too many photos at once: the limit is {limit}. Choose fewer.",
    busy="Many people are painting right now. Try again in a moment.",
    too_slow="This painting took too long. Give a smaller one.",
    too_often="That was a lot at once. Try again in {seconds} seconds.",
    stopping="The server is shutting down. Try again in a few minutes.",
    out_of_memory="There is not enough memory for this one right now. Give a smaller one, or try again later.",
    disk_full="There is no room for more files right now. Try again later.",
    empty_file="This file is empty. Choose it again, or another one.",
    damaged="This file is damaged or cut short. Copy or download it again.",
    not_a_video="This file is not a video we can read. Give an MP4, MOV, MKV, WebM, AVI or GIF.",
    wrong_kind="This kind of file does not go here. Give a photo here, or a video in the Video tab.",
    not_playable="Your browser cannot show this video. It can still be painted if it is one we can read.",
    no_answer="The server does not answer. Try again in a few minutes.",
    notice="Notice",
    failed="This one could not be painted. Try another file or another style.",
    portrait_v1="Portrait, version 1 (▲ stylization, ▼ robustness)",
    portrait_v2="Portrait, version 2 (▲ robustness, ▼ stylization)",
)

CHINESE = Text(
    language="zh",
    other_name="English",
    other_link="../?lang=en",
    title="photo2anime 照片变动漫",
    subtitle="大约两秒，把您的照片变成动漫画面。",
    privacy="一切都在本服务器上完成，不会发送到别处。照片和结果会在一小时后以及服务器停止时删除。",
    theme="深色或浅色",
    photo_tab="照片",
    video_tab="视频",
    several_tab="多张照片",
    your_photo="您的照片",
    examples="或者试试这些照片",
    style="风格",
    more="更多选项",
    strength="强度",
    strength_info="1 为完整风格，0 为原照片",
    keep_color="保留照片的颜色",
    keep_color_info="只改变画法",
    faces="人脸",
    faces_info="由人像风格绘制",
    faces_auto="自动",
    faces_off="与画面相同",
    faces_v1="版本 1（▲ 风格化，▼ 稳健性）",
    faces_v2="版本 2（▲ 稳健性，▼ 风格化）",
    lines="线条",
    lines_info="线条在画面中的粗细",
    lines_fine="细",
    lines_medium="中",
    lines_broad="粗",
    submit="提交",
    all_styles="比较所有风格",
    result="原图 | 结果",
    sheet="点击选择风格",
    download="下载",
    done="{width} × {height} 像素，{seconds:.1f} 秒",
    photos="您的照片（可多选）",
    folder="选择文件夹",
    paint_all="全部绘制",
    cancel="取消",
    cancelled="已取消。",
    zip="全部下载（ZIP）",
    previews="绘制结果",
    count="已完成 {done} / {total} 张照片。",
    your_video="您的视频",
    stills="效果预览",
    stills_button="预览静帧",
    paint_video="绘制视频",
    video_result="视频结果",
    time_left="第 {done} / {total} 帧，还需 {left}",
    no_photo="请先选择照片：点击左侧方框，拖入文件，或直接粘贴。",
    no_photos="请先选择几张照片。",
    no_video="请先选择视频。",
    not_a_picture="这个文件不是我们能读取的图片。请提供 JPEG、PNG、WebP、AVIF、HEIC、TIFF、BMP 或 GIF。",
    too_many_pixels="照片像素过多，上限为 {limit:g} 百万像素，请换一张较小的。",
    too_many_bytes="文件过大，上限为 {limit:g} MB，请换一个较小的。",
    too_many_photos="照片太多，一次最多 {limit} 张，请少选一些。",
    busy="现在使用的人很多，请稍后再试。",
    too_slow="绘制时间过长，请换一个较小的文件。",
    too_often="请求过于频繁，请在 {seconds} 秒后重试。",
    stopping="服务器正在关闭，请几分钟后再试。",
    out_of_memory="现在内存不足，请换一个较小的文件，或稍后再试。",
    disk_full="现在没有空间存放更多文件，请稍后再试。",
    empty_file="这个文件是空的，请重新选择或换一个文件。",
    damaged="文件已损坏或不完整，请重新复制或下载。",
    not_a_video="这个文件不是我们能读取的视频。请提供 MP4、MOV、MKV、WebM、AVI 或 GIF。",
    wrong_kind="这里不能使用这种文件。请在此提供照片，视频请放到“视频”页。",
    not_playable="您的浏览器无法播放这个视频；如果我们能读取它，仍然可以绘制。",
    no_answer="服务器没有响应，请几分钟后再试。",
    notice="提示",
    failed="无法绘制这个文件，请换一个文件或风格。",
    portrait_v1="人像 版本 1（▲ 风格化，▼ 稳健性）",
    portrait_v2="人像 版本 2（▲ 稳健性，▼ 风格化）",
)


def style_label(name: str, text: Text) -> str:
    """What a style is called on its card."""
    labels = {"portrait-v1": text.portrait_v1, "portrait-v2": text.portrait_v2}
    return labels.get(name, name.replace("-", " ").capitalize())
