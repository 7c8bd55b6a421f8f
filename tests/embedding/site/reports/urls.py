from django.contrib import admin
from django.urls import path

urlpatterns = [path("control/", admin.site.urls)]
